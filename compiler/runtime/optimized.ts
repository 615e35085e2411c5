import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { memorySource } from '../../ir/bytes.ts';
import type { Model, Node, Value } from '../../ir/model.ts';
import { readModel } from '../../ir/onnx/read.ts';
import type { OptimizedNode } from '../../passes/runtime.ts';
import { writeOptimized, type OpenContext } from './session.ts';

/** Beyond this ONNX Runtime cannot write the optimised model in one file. */
const largest = 2 ** 31 - 2 ** 24;

/** See `Runtime.optimized`. ONNX Runtime writes the graph into a file (`optimizedModelFilePath`), and nodes that it makes of others bear the name of one of them, with something added. */
export async function optimizedNodes(model: Model, context: OpenContext): Promise<readonly OptimizedNode[] | undefined> {
  let bytes = 0;
  for (const value of model.graph.constants) bytes += value.tensor!.byteLength;
  if (bytes > largest) return undefined;
  const folder = await mkdtemp(join(context.scratchFolder, 'onnxpress-optimized-'));
  try {
    const file = join(folder, 'optimized.onnx');
    const probe = await writeOptimized(model, file, context);
    const optimized = readModel(memorySource(readFileSync(file), 'optimized.onnx'));
    return Array.from(optimized.graph.nodes(), (node) => {
      const number = /\bn#(\d+)/.exec(node.name)?.[1];
      return { op: node.op, domain: node.domain, node: number === undefined ? undefined : probe.nodeOf(`n#${number}`), dequantized: readsDequantized(node) };
    });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function readsDequantized({ inputs }: Node): boolean {
  return inputs.some((value) => value?.producer?.op === 'DequantizeLinear' && dependsOnSample(value.producer.inputs[0]));
}

function dependsOnSample(value: Value | undefined): boolean {
  return value !== undefined && value.constant === undefined;
}
