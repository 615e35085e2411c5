import { expect } from 'chai';
import { createRuntime, type OrtRuntime } from '../../../../compiler/runtime/runtime.ts';
import { probeAll, probed, reasonsOf, type Probe } from './probe.ts';
import { wholeAll, type Whole } from './whole.ts';

const [inputs, hidden] = [4, 5];
const gates = { LSTM: 4, GRU: 3, RNN: 1 } as const;

interface Variant {
  readonly op: keyof typeof gates;
  readonly opset: number;
  readonly direction?: 'forward' | 'reverse' | 'bidirectional';
  readonly attributes?: string;
  /** Extra operands behind the bias: lengths, initial states, peepholes. */
  readonly full?: boolean;
}

/** A layer of 5 hidden units on 4 inputs, over 3 steps of 2 samples. */
function probeOf({ op, opset, direction = 'forward', attributes = '', full = false }: Variant): Probe {
  const directions = direction === 'bidirectional' ? 2 : 1;
  const rows = gates[op] * hidden;
  const weights = [`float[${directions},${rows},${inputs}] w = "random 1"`, `float[${directions},${rows},${hidden}] r = "random 2"`, `float[${directions},${2 * rows}] b = "random 3"`];
  const states = [`float[${directions},2,${hidden}] h = "random 4"`, `float[${directions},2,${hidden}] c = "random 5"`, `float[${directions},${3 * hidden}] p = "random 6"`];
  const extra = !full ? [] : op === 'LSTM' ? states : states.slice(0, 1);
  const outputs = op === 'LSTM' ? 'y, yh, yc' : 'y, yh';
  return {
    name: `${op}, ${direction}${attributes}${full ? ', with all operands' : ''}`, opset, parts: { x: [[2]] }, free: inputs + hidden,
    graph: `(float[3,2,${inputs}] x${full ? ', int32[2] s' : ''}) => (${outputs}) <${[...weights, ...extra].join(', ')}> { ${outputs} = ${op} <hidden_size = ${hidden}, direction = "${direction}"${attributes}> (x, w, r, b${!full ? '' : op === 'LSTM' ? ', s, h, c, p' : ', s, h'}) }`,
  };
}

const probes: readonly Probe[] = [
  ...[7, 14, 22].flatMap((opset) => (['LSTM', 'GRU', 'RNN'] as const).map((op): Variant => ({ op, opset }))),
  ...(['LSTM', 'GRU', 'RNN'] as const).flatMap((op): Variant[] => [{ op, opset: 14, direction: 'bidirectional', full: true }, { op, opset: 14, direction: 'reverse' }]),
  { op: 'GRU', opset: 14, attributes: ', linear_before_reset = 1' } as const,
  { op: 'LSTM', opset: 14, attributes: ', clip = 0.5, activations = ["Sigmoid", "Tanh", "Relu"]', full: true } as const,
].map(probeOf);

/** Features, two recurrent layers, and what reads all states and the last one. */
const wholes: readonly Whole[] = (['LSTM', 'GRU', 'RNN'] as const).map((op): Whole => {
  const rows = gates[op] * 6;
  return {
    name: `${op} behind ${op}`, opset: 14, free: 5 + 6 + 6,
    graph: `(float[3,N,4] x) => (float y, float z) <float[4,5] f = "random 1", float[1,${rows},5] w = "random 2", float[1,${rows},6] r = "random 3", float[1,${2 * rows}] b = "random 4", int64[1] one = {1}, float[2,${rows},6] ww = "random 5", float[2,${rows},6] rr = "random 6", float[6,2] v = "random 7"> {
      e = MatMul (x, f) all = ${op} <hidden_size = 6> (e, w, r, b) s = ReduceSum <keepdims = 0> (all, one) again, last = ${op} <hidden_size = 6, direction = "bidirectional"> (s, ww, rr) y = MatMul (again, v) z = MatMul (last, v) }`,
  };
});

describe('channels at recurrent layers', () => {
  let runtime: OrtRuntime;
  before(() => { runtime = createRuntime({ threads: 1 }); });
  after(() => runtime.close());

  probeAll(probes, () => runtime);
  wholeAll(wholes, () => runtime);

  it('begin at the rows of W and end at the columns of W and R', async () => {
    const { channels: { flow } } = await probed(probeOf({ op: 'LSTM', opset: 14 }), runtime);
    expect(flow.members.map(({ role, value, axis, ids }) => `${role} ${value.name} ${axis} ${ids.length}`)).to.have.members(['consumer w 2 4', 'producer w 1 20', 'consumer r 2 5']);
  });

  it('have the same axes where samples come first', async () => {
    const graph = '(float[2,3,4] x, float[2,1,5] h) => (y, yh) <float[1,5,4] w = "random 1", float[1,5,5] r = "random 2"> { y, yh = RNN <hidden_size = 5, layout = 1> (x, w, r, , , h) }';
    const subject = await probed({ name: 'layout', opset: 14, parts: { x: [[2]], h: [[2]] }, free: 9, graph }, runtime);
    const { flow } = subject.channels;
    expect(subject.model.graph.outputs.map(({ value }) => flow.layout(value).map(({ axes, ids }) => [axes, ids.length]))).to.deep.equal([[[[3], 5]], [[[2], 5]]]);
  });

  it('stay where an initial state cannot shrink, or the axis is time', async () => {
    const graph = '(float[3,2,4] x, float[1,2,5] h) => (y) <float[1,5,4] w = "random 1", float[1,5,5] r = "random 2"> { y = RNN <hidden_size = 5> (x, w, r, , , h) }';
    const { channels: { flow }, model } = await probed({ name: 'state', opset: 14, parts: {}, free: 0, graph }, runtime);
    const [y] = model.graph.outputs;
    expect(flow.atoms.pinOf(flow.part(y!.value, 3)!.ids[0]!)?.reason).to.equal('goes along with something that cannot shrink');
    expect(reasonsOf(await probed({ name: 'time', opset: 14, parts: { x: [[0]] }, free: 0, graph }, runtime), 'x')).to.deep.equal(['is an axis of time or of samples']);
  });

  it('stay where the weights are inputs', async () => {
    const graph = '(float[3,2,4] x, float[1,5,4] w) => (y) <float[1,5,5] r = "random 2"> { y = RNN <hidden_size = 5> (x, w, r) }';
    expect(reasonsOf(await probed({ name: 'weights', opset: 14, parts: { x: [[2]] }, free: 0, graph }, runtime), 'x')).to.deep.equal(['is summed over with weights that cannot shrink']);
  });
});
