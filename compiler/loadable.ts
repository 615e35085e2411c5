import { chunksLength } from '../ir/bytes.ts';
import { Diagnostic } from '../ir/diagnostic.ts';
import type { Model } from '../ir/model.ts';
import { writeModel } from '../ir/onnx/write.ts';
import type { OutputFile } from '../passes/pass.ts';
import type { StepResult } from './manager.ts';
import type { ModelBytes } from './runtime/loading.ts';
import type { OrtRuntime } from './runtime/runtime.ts';

/** Models of more bytes are tried with their weights in a side file: ONNX Runtime takes no single file of 2 GiB. */
const singleFile = 2 ** 30;

/**
 * Has ONNX Runtime load every model file that steps want to write, just as it will be written. Inference has looked at each step, but at graphs without
 * weights, one body at a time, and it goes on where a node is refused: operators that ONNX Runtime does not have are no mistake. So a refusal counts only if
 * the original is accepted. Throws `runtime/open`, which names the step that made the model so; costs one session for each file.
 */
export async function assertLoadable(results: readonly StepResult[], original: Model, runtime: Pick<OrtRuntime, 'refusalOf'>): Promise<void> {
  for (const [index, { step, outputs }] of results.entries()) {
    for (const file of outputs) {
      if (file.main !== true || !(step.pass.name === 'export' || file.path.endsWith('.onnx'))) continue;
      const reason = await runtime.refusalOf(bytesOf(file, outputs));
      if (reason === undefined || await runtime.refusalOf(written(original)) !== undefined) continue;
      const culprit = await firstRefused(results.slice(0, index + 1), runtime);
      throw new Diagnostic('runtime/open', `ONNX Runtime accepts the model before step '${culprit.id}' and refuses the one behind it, so ${file.path} is not written: ${reason}`, {
        step: culprit.id, file: file.path,
        suggestion: `Leave the step out or narrow its \`where\`, and report it to the author of the pass ${culprit.pass.name}; \`onnxpress bisect\`, with a command that loads the model, finds the node.`,
      });
    }
  }
}

/** The last step before which the model is accepted; the last of the steps has left one that is refused, and the first found one that is accepted. */
async function firstRefused(results: readonly StepResult[], runtime: Pick<OrtRuntime, 'refusalOf'>): Promise<StepResult['step']> {
  const [last, ...earlier] = results.filter(({ count }, index) => count > 0 || index === results.length - 1).reverse();
  let culprit = last!;
  for (const result of earlier) {
    if (await runtime.refusalOf(written(culprit.before)) === undefined) break;
    culprit = result;
  }
  return culprit.step;
}

function bytesOf({ path, chunks }: OutputFile, files: readonly OutputFile[]): ModelBytes {
  const side = files.find((file) => file.path === `${path}.data`);
  return { model: chunks, side: side && { name: side.path.split('/').at(-1)!, chunks: side.chunks } };
}

function written(model: Model): ModelBytes {
  const whole = writeModel(model);
  if (chunksLength(whole.model) <= singleFile) return whole;
  const name = 'weights.bin';
  const { model: chunks, external = [] } = writeModel(model, { external: { location: name, threshold: 1024 } });
  return { model: chunks, side: { name, chunks: external } };
}
