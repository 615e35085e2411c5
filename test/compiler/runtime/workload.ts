import { Tensor } from '../../../ir/tensor.ts';
import { Build } from './build.ts';

/** A loop of matrix products that takes ONNX Runtime some seconds. */
export function slowModel(): Build {
  const build = new Build();
  const start = build.input('x', 'float', [384, 384]);
  const count = build.constant(Tensor.scalar('int64', 600), 'count');
  const body = build.body('body', (graph) => {
    build.input('iteration', 'int64', [], graph);
    const condition = build.input('condition', 'bool', [], graph);
    const state = build.input('state', 'float', [384, 384], graph);
    build.output(build.value('Identity', [condition], {}, { graph }), 'condition_out', graph);
    build.output(build.value('MatMul', [state, state], {}, { graph }), 'state_out', graph);
  });
  build.output(build.value('Loop', [count, undefined, start], { body }, { name: 'loop' }), 'y');
  return build;
}

/** What the slow model is fed. */
export const slowFeeds: ReadonlyMap<string, Tensor> = new Map([['x', Tensor.of('float', new Float32Array(384 * 384), [384, 384])]]);

/** Negates a vector. */
export function smallModel(): Build {
  const build = new Build();
  build.output(build.value('Neg', [build.input('x', 'float', ['N'])]), 'y');
  return build;
}
