import { expect } from 'chai';
import { dtypeOfType, printType, sameDim, sameShape, sameType, shapeOf, staticShape, tensorType, type Type } from '../../ir/type.ts';

const printed: readonly [Type | undefined, string][] = [
  [undefined, '?'],
  [tensorType('float'), 'float[]'],
  [tensorType('float', []), 'float'],
  [tensorType('float16', ['N', 3, undefined]), 'float16[N,3,?]'],
  [{ kind: 'tensor', dtype: undefined, shape: [1] }, 'undefined[1]'],
  [{ kind: 'tensor', dtype: 'float', shape: [4], sparse: true }, 'sparse_tensor(float[4])'],
  [{ kind: 'sequence', element: tensorType('int64', [undefined]) }, 'seq(int64[?])'],
  [{ kind: 'optional', element: undefined }, 'optional(?)'],
  [{ kind: 'map', key: 'string', value: tensorType('float', []) }, 'map(string, float)'],
  [{ kind: 'opaque', domain: 'a', name: 'b' }, 'opaque(a, b)'],
  [{ kind: 'opaque', domain: 'a', name: 'c' }, 'opaque(a, c)'],
  [tensorType('float', ['batch size', 3]), 'float["batch size",3]'],
];

describe('ir/type', () => {
  for (const [type, text] of printed) it(`prints ${text}`, () => { expect(printType(type)).to.equal(text); });

  it('tells types apart, each from each', () => {
    printed.forEach(([a], i) => { printed.forEach(([b], j) => { expect(sameType(a, b), `${printType(a)} and ${printType(b)}`).to.equal(i === j); }); });
  });

  it('ignores denotations and takes unknown axes of two types for the same', () => {
    expect(sameType({ ...tensorType('float', [1, undefined]), denotation: 'IMAGE', denotations: ['DATA_BATCH', undefined] }, tensorType('float', [1, undefined]))).to.equal(true);
  });

  it('answers for shapes only what is certain', () => {
    expect(shapeOf(undefined)).to.equal(undefined);
    expect(shapeOf({ kind: 'sequence', element: tensorType('float', [1]) })).to.equal(undefined);
    expect(staticShape(tensorType('float', [2, 3]))).to.deep.equal([2, 3]);
    expect(staticShape(tensorType('float', []))).to.deep.equal([]);
    expect(staticShape(tensorType('float', ['N', 3]))).to.equal(undefined);
    expect(dtypeOfType(tensorType('int8'))).to.equal('int8');
    expect([sameDim(3, 3), sameDim('N', 'N'), sameDim(undefined, undefined), sameDim(3, '3')]).to.deep.equal([true, true, false, false]);
    expect([sameShape([1, 'N'], [1, 'N']), sameShape([undefined], [undefined]), sameShape([1], [1, 1]), sameShape(undefined, undefined)]).to.deep.equal([true, false, false, false]);
  });
});
