import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { OrtRuntime } from '../compiler/runtime/runtime.ts';
import { memorySource } from '../ir/bytes.ts';
import { Editor } from '../ir/edit.ts';
import type { Model } from '../ir/model.ts';
import { normalizeModel } from '../ir/normalize.ts';
import { readModel } from '../ir/onnx/read.ts';
import { sizeOf, Tensor } from '../ir/tensor.ts';
import { shapeOf } from '../ir/type.ts';
import type { Feeds } from '../passes/runtime.ts';
import { shared } from './paths.ts';

/** Lengths of the symbolic axes of the first input that a model does not run without; 1 for all others. */
const lengths: Readonly<Record<string, readonly (number | undefined)[]>> = {
  yunet_n_dynamic: [1, 3, 64, 64], silero_vad_v6: [1, 512], silero_vad_half: [1, 512], silero_vad_micro_tf: [1, 4000], tinytimemixer: [1, 512],
};

/** A model of ../shared/models, normalised as a compile begins with it. */
export function loadModel(name: string): Model {
  const file = join(shared!, 'models', `${name}.onnx`);
  const model = readModel(memorySource(readFileSync(file), file));
  normalizeModel(model, new Editor(model));
  return model;
}

/** Seeded inputs: floats in [−1, 1), integers from 0 to 99, the sampling rate where one is asked for. */
export function randomFeeds(name: string, { graph }: Model, seed = 1): Feeds {
  let state = seed;
  const random = (): number => (state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff) / 0x80000000;
  return new Map(graph.inputs.filter(({ tensor }) => tensor === undefined).map((input, index) => {
    const known = index === 0 ? lengths[name] ?? [] : [];
    const shape = shapeOf(input.type)!.map((dim, axis) => (typeof dim === 'number' ? dim : known[axis] ?? 1));
    const dtype = input.type?.kind === 'tensor' ? input.type.dtype! : 'float';
    const numbers = Array.from({ length: sizeOf(shape) }, () => (input.name === 'sr' ? 16000 : dtype === 'float' ? random() * 2 - 1 : Math.floor(random() * 100)));
    return [input.name, Tensor.of(dtype, numbers, shape)];
  }));
}

/** What a model makes of one set of inputs, its nodes run as they stand. */
export async function outputsOf(model: Model, feeds: Feeds, runtime: OrtRuntime, threads = 1): Promise<Map<string, Tensor>> {
  const session = await runtime.open(model, { threads });
  try {
    return await session.run(feeds);
  } finally {
    await session.release();
  }
}
