import { InferenceSession, Tensor } from 'onnxruntime-node';
import { preprocess, side, type LabelledImages } from './shapes.ts';

/** What a network makes of labelled images. */
export interface Evaluation {
  /** [count, classes]: the network's output before softmax. */
  readonly scores: Float32Array;
  /** Share of the images whose highest score is that of their label, in percent. */
  readonly accuracy: number;
}

/** Images that go through the network at once. */
const batch = 100;

/** Runs an ONNX file (`image` [N,3,side,side] → `scores` [N,classes]) over labelled images on the CPU. */
export async function evaluate(file: string, { images, labels }: LabelledImages): Promise<Evaluation> {
  const session = await InferenceSession.create(file, { graphOptimizationLevel: 'all', logSeverityLevel: 3 });
  const pixels = side * side * 3;
  const scores: number[] = [];
  let right = 0;
  for (let first = 0; first < labels.length; first += batch) {
    const expected = labels.subarray(first, first + batch);
    const values = preprocess(images.subarray(first * pixels, (first + expected.length) * pixels));
    const outputs = await session.run({ image: new Tensor('float32', values, [expected.length, 3, side, side]) });
    const found = outputs['scores']!.data as Float32Array;
    const classes = found.length / expected.length;
    expected.forEach((label, at) => { if (indexOfLargest(found.subarray(at * classes, (at + 1) * classes)) === label) right++; });
    scores.push(...found);
  }
  await session.release();
  return { scores: Float32Array.from(scores), accuracy: (100 * right) / labels.length };
}

/** The largest absolute difference between two outputs, as a share of the largest absolute value of the first. */
export function relativeDifference(reference: Float32Array, other: Float32Array): number {
  let [difference, scale] = [0, 0];
  reference.forEach((value, at) => {
    difference = Math.max(difference, Math.abs(value - other[at]!));
    scale = Math.max(scale, Math.abs(value));
  });
  return difference / scale;
}

function indexOfLargest(values: Float32Array): number {
  return values.reduce((best, value, at) => (value > values[best]! ? at : best), 0);
}
