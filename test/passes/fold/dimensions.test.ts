import { expect } from 'chai';
import { createRuntime, type OrtRuntime } from '../../../compiler/runtime/runtime.ts';
import { inferTypes } from '../../../compiler/manager.ts';
import { parseModel } from '../../../ir/text/index.ts';
import type { Dim } from '../../../ir/type.ts';
import { dimensionsOf } from '../../../passes/fold/dimensions.ts';

/** What y holds, made from the shape s = [N, 2, 6] of x; undefined as a whole where not even the number of elements is certain or the tensor is not followed. */
const cases: readonly (readonly [body: string, elements: readonly Dim[] | undefined])[] = [
  ['y = Identity (s)', ['N', 2, 6]],
  ['y = Shape <start = 1, end = -1> (x)', [2]],
  ['y = Size (x)', [undefined]],
  ['y = Gather (s, last)', [6]],
  ['y = Slice (s, one, far)', [2, 6]],
  ['y = Slice (s, last, least, zero, last)', [6, 2, 'N']],
  ['y = Slice (s, zero, far, zero, two)', ['N', 6]],
  ['y = Concat <axis = 0> (s, two)', ['N', 2, 6, 2]],
  ['y = Unsqueeze (s, zero)', ['N', 2, 6]],
  ['u = Unsqueeze (s, one) v = Concat <axis = 1> (u, u) y = Identity (v)', new Array<Dim>(6).fill(undefined)],
  ['u = Unsqueeze (s, zero) v = Concat <axis = 0> (u, u) y = Transpose (v)', ['N', 'N', 2, 2, 6, 6]],
  ['y = Add (s, zero)', ['N', 2, 6]],
  ['y = Add (s, one)', [undefined, 3, 7]],
  ['y = Sub (s, s)', [undefined, 0, 0]],
  ['y = Mul (s, one)', ['N', 2, 6]],
  ['y = Mul (s, zero)', [undefined, 0, 0]],
  ['y = Div (s, two)', [undefined, 1, 3]],
  ['y = Mod (s, four)', [undefined, 2, 2]],
  ['u = Sub (zero, s) y = Mod (u, four)', [undefined, 2, 2]],
  ['u = Sub (zero, s) y = Mod <fmod = 1> (u, four)', [undefined, -2, -2]],
  ['u = Sub (zero, s) y = Div (u, four)', [undefined, 0, -1]],
  ['c = Equal (s, last) y = Where (c, one, s)', ['N', 2, 6]],
  ['c = Equal (s, two) y = Where (c, one, s)', [undefined, 1, 6]],
  ['c = Equal (s, two) y = Where (c, s, s)', ['N', 2, 6]],
  ['y = ReduceProd <keepdims = 1> (s)', [undefined]],
  ['u = Slice (s, one, far) y = ReduceProd <keepdims = 1> (u)', [12]],
  ['y = ConstantOfShape <value = int64[1] {5}> (two)', [5, 5]],
  ['y = ConstantOfShape <value = int64[1] {5}> (s)', undefined],
  ['u = Cast <to = 6> (s) y = Cast <to = 7> (u)', ['N', 2, 6]],
  ['u = Cast <to = 3> (s) y = Cast <to = 7> (u)', [undefined, undefined, undefined]],
  ['u = Cast <to = 1> (s) y = Cast <to = 7> (u)', [undefined, undefined, undefined]],
];

describe('passes/fold/dimensions', () => {
  let runtime: OrtRuntime;
  before(() => { runtime = createRuntime({ threads: 1 }); });
  after(() => runtime.close());

  for (const [body, elements] of cases) {
    it(body, async () => {
      const model = parseModel(`<ir_version: 8, opset_import: ["": 17]> main (float[N,2,6] x) => (int64[] y)
        <int64[1] zero = {0}, int64[1] one = {1}, int64[1] two = {2}, int64[1] four = {4}, int64[1] last = {-1}, int64[1] far = {9223372036854775807}, int64[1] least = {-9223372036854775807}> { s = Shape (x) ${body} }`);
      await inferTypes(model, runtime);
      expect(dimensionsOf(model.graph.outputs[0]!.value)).to.deep.equal(elements);
    });
  }
});
