import { expect } from 'chai';
import type { AttributeLike } from '../../ir/attribute.ts';
import type { DType } from '../../ir/dtype.ts';
import { detachedGraph, Editor } from '../../ir/edit.ts';
import { Graph, Model, type Node } from '../../ir/model.ts';
import { Tensor, sizeOf } from '../../ir/tensor.ts';
import { tensorType, type Dim } from '../../ir/type.ts';
import { costOf, graphCost } from '../../passes/cost.ts';

/** An operand: a graph input, or, with `constant`, an initializer of zeros. */
interface Operand {
  readonly shape: readonly Dim[] | undefined;
  readonly dtype?: DType;
  readonly constant?: true;
}

const input = (...shape: Dim[]): Operand => ({ shape });
const weight = (...shape: number[]): Operand => ({ shape, constant: true });
const typed = (dtype: DType, ...shape: number[]): Operand => ({ shape, constant: true, dtype });

function emptyModel(): Model {
  return new Model(new Graph('test'), { irVersion: 8, opsets: new Map([['', 17]]) });
}

function nodeOf(op: string, operands: readonly (Operand | undefined)[], output: readonly Dim[], attributes: Record<string, AttributeLike> = {}, domain = ''): Node {
  const edit = new Editor(emptyModel());
  const { graph } = edit.model;
  const inputs = operands.map((operand, at) => {
    if (operand === undefined) return undefined;
    const { dtype = 'float', shape, constant } = operand;
    if (constant === undefined) return edit.addInput(graph, `x${at}`, tensorType(dtype, shape));
    const dims = shape as readonly number[];
    return edit.constant(graph, Tensor.of(dtype, new Array<number>(sizeOf(dims)).fill(0), dims));
  });
  return edit.insert({ op, domain, inputs, attributes, outputs: [tensorType('float', output)] }, graph);
}

/** Counted by hand: what, the node, multiply-accumulates, parameters, bytes. */
const cases: [what: string, node: () => Node, macs: number | undefined, parameters: number, bytes: number][] = [
  ['the stem of ResNet-50', () => nodeOf('Conv', [input('N', 3, 224, 224), weight(64, 3, 7, 7)], ['N', 64, 112, 112]), 118013952, 9408, 37632],
  ['a bias, which costs no operations', () => nodeOf('Conv', [input(1, 8, 4, 4), weight(2, 8, 1, 1), weight(2)], [1, 2, 4, 4]), 256, 18, 72],
  ['a literal batch, which counts', () => nodeOf('Conv', [input(5, 8, 4, 4), weight(2, 8, 1, 1)], [5, 2, 4, 4]), 1280, 16, 64],
  ['depthwise 3×3', () => nodeOf('Conv', [input('N', 32, 10, 10), weight(32, 1, 3, 3)], ['N', 32, 10, 10], { group: 32 }), 28800, 288, 1152],
  ['one-dimensional', () => nodeOf('Conv', [input('N', 4, 100), weight(6, 4, 5)], ['N', 6, 96]), 11520, 120, 480],
  ['ConvTranspose, stride 2', () => nodeOf('ConvTranspose', [input('N', 16, 7, 7), weight(16, 8, 2, 2)], ['N', 8, 14, 14]), 25088, 512, 2048],
  ['Gemm', () => nodeOf('Gemm', [input('N', 2048), weight(1000, 2048), weight(1000)], ['N', 1000], { transB: 1 }), 2048000, 2049000, 8196000],
  ['Gemm, A transposed', () => nodeOf('Gemm', [input(7, 'N'), weight(7, 3)], ['N', 3], { transA: 1 }, ''), undefined, 21, 84],
  ['Gemm, A transposed and literal', () => nodeOf('Gemm', [input(7, 2), weight(7, 3)], [2, 3], { transA: 1 }), 42, 21, 84],
  ['MatMul of activations', () => nodeOf('MatMul', [input('N', 3, 10, 64), input('N', 3, 64, 20)], ['N', 3, 10, 20]), 38400, 0, 0],
  ['MatMul, vectors', () => nodeOf('MatMul', [input(9), weight(9)], []), 9, 9, 36],
  ['LSTM', () => nodeOf('LSTM', [input(10, 1, 8), weight(2, 64, 8), weight(2, 64, 16), weight(2, 128)], [10, 2, 1, 16], { hidden_size: 16 }), 30720, 3328, 13312],
  ['GRU, batch first', () => nodeOf('GRU', [input('N', 10, 8), weight(1, 12, 8), weight(1, 12, 4)], ['N', 10, 1, 4], { layout: 1 }), 1440, 144, 576],
  ['Einsum', () => nodeOf('Einsum', [input('N', 5, 6), input('N', 6, 7)], ['N', 5, 7], { equation: 'bij, bjk -> bik' }), 210, 0, 0],
  ['Einsum of one operand', () => nodeOf('Einsum', [input(5, 6)], [6, 5], { equation: 'ij->ji' }), 0, 0, 0],
  ['Einsum with an ellipsis', () => nodeOf('Einsum', [input(5, 6), input(6, 7)], [5, 7], { equation: '...j,jk->...k' }), undefined, 0, 0],
  ['Einsum of a wrong rank', () => nodeOf('Einsum', [input(5), input(6, 7)], [5, 7], { equation: 'ij,jk->ik' }), undefined, 0, 0],
  ['BatchNormalization', () => nodeOf('BatchNormalization', [input('N', 8, 4, 4), weight(8), weight(8), weight(8), weight(8)], ['N', 8, 4, 4]), 0, 16, 128],
  ['a shape to reshape to', () => nodeOf('Reshape', [input('N', 8), typed('int64', 2)], ['N', 8]), 0, 0, 16],
  ['limits of Clip', () => nodeOf('Clip', [input('N', 8), weight(), weight()], ['N', 8]), 0, 0, 8],
  ['dequantized weights', () => nodeOf('DequantizeLinear', [typed('int8', 16, 4), weight(16), typed('int8', 16)], [16, 4]), 0, 64, 144],
  ['a dequantized bias', () => nodeOf('DequantizeLinear', [typed('int32', 16), weight(16), typed('int32', 16)], [16]), 0, 16, 192],
  ['4-bit weights', () => nodeOf('DequantizeLinear', [typed('uint4', 3, 3), weight()], [3, 3]), 0, 9, 9],
  ['QLinearConv', () => nodeOf('QLinearConv', [{ shape: [1, 4, 3, 3], dtype: 'uint8' }, weight(), typed('uint8'), typed('int8', 2, 4, 1, 1), weight(2), typed('int8', 2), weight(), typed('uint8'), typed('int32', 2)], [1, 2, 3, 3]), 72, 10, 36],
  ['a factor for each channel', () => nodeOf('Mul', [input('N', 4), weight(4)], ['N', 4]), 0, 4, 16],
  ['an unknown axis', () => nodeOf('Conv', [input('N', 3, 'H', 'W'), weight(8, 3, 3, 3)], ['N', 8, 'H', 'W']), undefined, 216, 864],
  ['an unknown rank', () => nodeOf('MatMul', [{ shape: undefined }, weight(4, 4)], ['N', 4]), undefined, 16, 64],
  ['another domain', () => nodeOf('Conv', [input('N', 3, 8, 8), weight(8, 3, 3, 3)], ['N', 8, 6, 6], {}, 'com.acme'), undefined, 216, 864],
  ['an operator named like a property of objects', () => nodeOf('constructor', [weight(4)], [4]), 0, 4, 16],
  ['Attention', () => nodeOf('Attention', [input('N', 2, 8, 4), input('N', 2, 8, 4), input('N', 2, 8, 4)], ['N', 2, 8, 4]), undefined, 0, 0],
];

describe('cost of a node', () => {
  for (const [what, node, macs, parameters, bytes] of cases) {
    it(what, () => {
      expect(costOf(node())).to.deep.equal({ macs, parameters, bytes });
    });
  }

  it('takes lengths for symbols, also for the batch', () => {
    const node = nodeOf('Conv', [input('N', 3, 'H', 'W'), weight(8, 3, 1, 1)], ['N', 8, 'H', 'W']);
    const sizes = new Map([['H', 10], ['W', 20]]);
    expect(costOf(node, sizes).macs).to.equal(4800);
    expect(costOf(node, new Map([...sizes, ['N', 4]])).macs).to.equal(19200);
  });
});

describe('cost of a graph', () => {
  /** x [N,4] → MatMul W [4,4] → MatMul W again → foreign operator. */
  function chain(): Model {
    const edit = new Editor(emptyModel());
    const { graph } = edit.model;
    const type = tensorType('float', ['N', 4]);
    const w = edit.constant(graph, Tensor.of('float', new Float32Array(16), [4, 4]));
    const first = edit.insert({ op: 'MatMul', inputs: [edit.addInput(graph, 'x', type), w], outputs: [type] }, graph);
    const second = edit.insert({ op: 'MatMul', inputs: [first.output, w], outputs: [type] }, graph);
    edit.insert({ op: 'Strange', domain: 'com.acme', inputs: [second.output], outputs: [type] }, graph);
    return edit.model;
  }

  it('counts a shared weight once, and names the nodes it cannot count', () => {
    const { unknown, ...rest } = graphCost(chain().graph);
    expect(rest).to.deep.equal({ macs: 32, parameters: 16, bytes: 64 });
    expect(unknown.map((node) => node.op)).to.deep.equal(['Strange']);
  });

  it('counts the dearer branch of If, with constants inside and captured', () => {
    const edit = new Editor(emptyModel());
    const { graph } = edit.model;
    const x = edit.addInput(graph, 'x', tensorType('float', ['N', 4]));
    const condition = edit.addInput(graph, 'condition', tensorType('bool', []));
    const outer = edit.constant(graph, Tensor.of('float', new Float32Array(8), [4, 2]));
    const branch = (name: string, columns: number): Graph => {
      const body = detachedGraph(name);
      const w = columns === 2 ? outer : edit.constant(body, Tensor.of('float', new Float32Array(4 * columns), [4, columns]));
      const type = tensorType('float', ['N', columns]);
      edit.setOutput(body, 0, edit.insert({ op: 'MatMul', inputs: [x, w], outputs: [type] }, body).output, 'y');
      return body;
    };
    const attributes = new Map([
      ['then_branch', { kind: 'graph', value: branch('then', 2) } as const],
      ['else_branch', { kind: 'graph', value: branch('else', 3) } as const],
    ]);
    const node = edit.insert({ op: 'If', inputs: [condition], attributes, outputs: [tensorType('float', undefined)] }, graph);
    expect(costOf(node).macs).to.equal(12);
    expect(graphCost(graph)).to.deep.equal({ macs: 12, unknown: [], parameters: 20, bytes: 80 });
  });
});
