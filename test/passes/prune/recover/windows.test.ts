import { expect } from 'chai';
import { Graph, Model, Node } from '../../../../ir/model.ts';
import { readWindow, windowOf } from '../../../../passes/prune/recover/windows.ts';

describe('windows of convolutions', () => {
  it('read what the convolution multiplies, with zeros around the image', () => {
    const node = new Node(new Graph('g', new Model(new Graph('m'), { irVersion: 8, opsets: new Map() })), 'Conv', { name: 'c' });
    const window = { ...windowOf(node, [3, 3], [2, 2], [2, 2]), begin: [1, 1] as const };
    const into = new Float32Array(18);
    readWindow([1, 2, 3, 4, 5, 6, 7, 8], 0, [2, 2], 2, window, [0, 1], into, 0);
    expect([...into]).to.deep.equal([0, 0, 0, 1, 2, 0, 3, 4, 0, 0, 0, 0, 5, 6, 0, 7, 8, 0]);
  });
});
