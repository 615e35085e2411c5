import { Diagnostic } from '../../ir/diagnostic.ts';
import type { Model } from '../../ir/model.ts';
import type { DataSource } from '../../passes/data.ts';
import type { Runtime } from '../../passes/runtime.ts';
import { evaluate, type Subject } from './evaluate.ts';

/** Samples on which both forms are compared: saturation shows on the first one. */
const compared = 8;

/** Decibels by which the fused model may fall behind its file: rounding in other places makes one or two. */
const tolerated = 3;

/** Below this signal-to-noise ratio, in dB, the loss is worth a word. */
const good = 40;

/** True for models with uint8 activations: the form that ONNX Runtime's kernels for the CPU take. */
export function isForKernels(model: Model): boolean {
  return [...model.graph.nodes()].some((node) => node.is('QuantizeLinear') && node.inputs[2]?.constant?.dtype === 'uint8' && node.inputs[0]?.constant === undefined);
}

export interface FusedOptions {
  readonly runtime: Runtime;
  readonly signal?: AbortSignal;
}

/**
 * Compares what the file of a quantized model says with what the int8 kernels of ONNX Runtime make of it on this processor: both against the original, by the signal-to-noise
 * ratio of the worst output. Returns the warning `eval/fused-accuracy` if the kernels fall behind.
 */
export async function fusedLoss(original: Subject, quantized: Subject, source: DataSource, { runtime, signal }: FusedOptions): Promise<Diagnostic | undefined> {
  if (!isForKernels(quantized.model)) return undefined;
  const worst = async (optimization: 'disabled' | 'all'): Promise<number> => {
    const { models } = await evaluate([original, quantized], source, { runtime, samples: compared, optimization, ...(signal && { signal }) });
    return Math.min(...models[1]!.outputs.map(({ sqnr }) => sqnr));
  };
  const [file, fused] = [await worst('disabled'), await worst('all')];
  // A fused model that gives NaN is no better than any.
  if (Number.isNaN(file) || fused >= Math.min(file - tolerated, good)) return undefined;
  return new Diagnostic('eval/fused-accuracy', `'${quantized.name}' reaches ${decibels(fused)} with the int8 kernels of this processor, and ${decibels(file)} as its file has it`, {
    severity: 'warning',
    suggestion: 'Quantize with `saturation: avoid`, or `unsigned`; a file that must stay as it is runs exactly with the session option session.x64quantprecision = 1.',
  });
}

function decibels(value: number): string {
  return value === Infinity ? 'no error at all' : `${value.toFixed(1)} dB`;
}
