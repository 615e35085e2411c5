import { expect } from 'chai';
import { Diagnostic } from '../../../ir/diagnostic.ts';
import type { Mutable, Node } from '../../../ir/model.ts';
import { Tensor } from '../../../ir/tensor.ts';
import { definePass, type Pass, type PassContext, type PassDeclaration } from '../../../passes/pass.ts';
import { createRuntime, type OrtRuntime } from '../../../compiler/runtime/runtime.ts';
import { loadTarget } from '../../../compiler/targets.ts';
import { checkCase, readCase, type CaseResult, type CaseWorld, type Check } from '../../../compiler/testing/index.ts';

const input = `<ir_version: 8, opset_import: ["": 17]>
main (float[N,4] x) => (float[N,4] y)
<
  float[4] w = {1, -2, 3, 0.5}
>
{
  [add] t = Add (x, w)
  [relu] r = Relu (t)
  [same] y = Identity (r)
}`;

const none = { type: 'object', additionalProperties: false, properties: {} } as const;
type None = typeof none;

function pass(run: (nodes: (name: string) => Node, context: PassContext<object>) => void, rest: Partial<PassDeclaration<None>> = {}): Pass {
  return definePass({
    name: 'tried', version: 1, summary: 'Does what a test wants.', options: none, ...rest,
    run(model, context) {
      // As every pass should: nothing is done to nodes that were not selected.
      const nodes = [...model.graph.nodes()];
      if (!nodes.every((node) => context.select.has(node))) return;
      run((op) => nodes.find((node) => node.op === op)!, context);
    },
  });
}

/** Takes the Identity out. */
function shorten(node: Node | undefined, context: PassContext<object>): void {
  if (node === undefined) return;
  context.remark({ kind: 'applied', rule: 'identity', message: 'removed', node });
  context.edit.replaceUses(node.output, node.inputs[0]!);
  context.edit.remove(node);
}

const sound = pass((node, context) => { shorten(node('Identity'), context); });
let calls = 0;

/** Passes that are right for most inputs: a model whose only node becomes another one, and what the message says of the inputs for which that is wrong. */
const nearly: readonly (readonly [how: string, body: string, op: string, attributes: Readonly<Record<string, number>>, shape: readonly number[] | undefined, inputs: string])[] = [
  ['takes one symbol for another', '(float[N,M] x) => (int64[1] y) { y = Shape <start = 0, end = 1> (x) }', 'Shape', { start: 1, end: 2 }, undefined, 'N = 3, M = 4'],
  ['forgets that a batch may be empty', '(float[N,M,2] x) => (float[N,K] y) { y = Flatten (x) }', 'Reshape', {}, [0, -1], 'N = 0, M = 4'],
  ['lets infinities through', '(float[2,2] x) => (float[2,2] y) { y = Clip (x) }', 'Identity', {}, undefined, 'special numbers'],
];

/** For each check, passes that stand all the others. */
const broken: readonly (readonly [check: Check, how: string, pass: Pass])[] = [
  ['verify', 'gives Relu an attribute that it does not have', pass((node, { edit }) => { edit.setAttribute(node('Relu'), 'slope', 3); })],
  ['verify', 'lets nodes read in a circle', pass((node, { edit }) => { edit.setInput(node('Add'), 1, node('Relu').output); })],
  ['interface', 'renames an input', pass((node, { edit }) => { edit.rename(node('Add').inputs[0]!, 'image'); })],
  ['interface', 'changes the element type of an output', pass((node, { edit }) => {
    const cast = edit.insert({ op: 'Cast', inputs: [node('Relu').output], attributes: { to: 11 }, from: [node('Relu')] }, { after: node('Relu') });
    edit.setOutput(cast.graph, 0, cast.output);
    edit.setOutputType(cast.graph, 0, { kind: 'tensor', dtype: 'double', shape: ['N', 4] });
    edit.remove(node('Identity'));
  })],
  ['numbers', 'takes Abs for Relu', pass((node, { edit }) => {
    const relu = node('Relu') as Node | undefined;
    if (relu === undefined) return;
    const abs = edit.insert({ op: 'Abs', inputs: relu.inputs, from: [relu] }, { before: relu });
    edit.replaceUses(relu.output, abs.output);
    edit.remove(relu);
  })],
  ['idempotence', 'adds a node each time', pass((node, { edit }) => {
    const again = edit.insert({ op: 'Identity', inputs: node('Relu').outputs, from: [node('Relu')] }, { after: node('Relu') });
    edit.setInput(node('Identity'), 0, again.output);
  })],
  ['determinism', 'counts its calls', pass((node, { edit }) => { if (node('Relu').name === 'relu') edit.rename(node('Relu'), `relu-${calls++}`); })],
  ['determinism', 'counts its calls in remarks', pass((node, context) => { context.remark({ kind: 'analysis', rule: 'calls', message: String(calls++), node: node('Relu') }); })],
  ['selection', 'does not look at the selection', { ...sound, run: (model, context) => { shorten([...model.graph.nodes()].find(({ op }) => op === 'Identity'), context); } }],
  ['editor', 'writes to a node', pass((node) => { (node('Relu') as Mutable<Node>).name = 'changed'; })],
  ['tensors', 'writes into a weight', pass((node) => { (node('Add').inputs[1]!.constant!.floats())[0]! += 1; })],
  ['keeps', 'says that ranges hold, though a value holds another thing', pass((node, { edit }) => {
    const add = node('Add');
    if (add.output.name !== 't') return;
    edit.rename(add.output, 'before');
    const negative = edit.insert({ op: 'Neg', inputs: [add.output], from: [add] }, { after: add });
    const back = edit.insert({ op: 'Neg', inputs: [negative.output], from: [add] }, { after: negative });
    edit.rename(negative.output, 't');
    edit.setInput(node('Relu'), 0, back.output);
  }, { keeps: ['ranges'] })],
  ['outputs', 'declares a file that it does not write', pass((node, context) => { shorten(node('Identity'), context); }, { outputs: () => ['scales.json'] })],
  ['refusal', 'changes the model, then refuses', pass((node, context) => {
    shorten(node('Identity'), context);
    throw new Diagnostic('tried/no', 'this is not for me');
  })],
  ['refusal', 'fails with an error of another kind', pass(() => { throw new TypeError('undefined is not a function'); })],
];

describe('testing: every check catches a pass that breaks it, and no other does', () => {
  let runtime: OrtRuntime;
  let world: CaseWorld;
  before(() => {
    runtime = createRuntime();
    world = { runtime, target: loadTarget('portable'), tolerance: 1e-5 };
  });
  after(() => runtime.close());

  const check = (tried: Pass, text: string): Promise<CaseResult> => checkCase(tried, readCase('case', text), world);
  /** The checks that fail once the case expects what the pass does. */
  const failing = async (tried: Pass): Promise<{ readonly checks: Check[]; readonly result: CaseResult }> => {
    const { actual } = await check(tried, input);
    const result = await check(tried, actual === undefined ? input : `${input}\n---\n${actual}\n`);
    return { checks: [...new Set(result.failures.map((failure) => failure.check))], result };
  };

  it('a sound pass stands all of them', async () => {
    const { result } = await failing(sound);
    expect(result.failures).to.deep.equal([]);
    expect(result.actual).to.equal(`main (float[N,4] x) => (float[N,4] y)
<
  float[4] w = {1, -2, 3, 0.5}
>
{
  [add] t = Add (x, w)
  [relu] y = Relu (t)
}
# applied tried/identity at same: removed`);
  });

  for (const [wanted, how, tried] of broken) {
    it(`${wanted}: a pass that ${how}`, async () => {
      calls = 0;
      const { checks, result } = await failing(tried);
      // What changes from call to call cannot be recorded either.
      const others = wanted === 'determinism' ? ['expectation'] : [];
      expect(checks.filter((found) => !others.includes(found)), JSON.stringify(result.failures, undefined, 1)).to.deep.equal([wanted]);
    });
  }

  it('idempotence: not of a pass that declares that it is not', async () => {
    const tried = broken.find(([check]) => check === 'idempotence')![2];
    expect((await failing({ ...tried, idempotent: false })).checks).to.deep.equal([]);
  });

  it('numbers: not where the case says so, and no more than it says', async () => {
    const tried = broken.find(([check]) => check === 'numbers')![2];
    const { actual } = await check(tried, input);
    expect((await check(tried, `# tolerance: none\n${input}\n---\n${actual!}`)).failures).to.deep.equal([]);
    // Negative outputs of Elu lie above −alpha: a ten-thousandth more moves them by less than that.
    const close = pass((node, { edit }) => { if (!node('Elu').attributes.has('alpha')) edit.setAttribute(node('Elu'), 'alpha', { kind: 'float', value: 1.0001 }); });
    const elu = input.replace('Relu', 'Elu');
    const expectation = (await check(close, elu)).actual!;
    const verdict = async (tolerance: string): Promise<Check[]> => (await check(close, `# tolerance: ${tolerance}\n${elu}\n---\n${expectation}`)).failures.map((failure) => failure.check);
    expect(await verdict('exact')).to.deep.equal(['numbers']);
    expect(await verdict('0.01')).to.deep.equal([]);
  });

  for (const [how, body, op, attributes, shape, inputs] of nearly) {
    it(`numbers: a pass that ${how}`, async () => {
      const tried = definePass({
        name: 'tried', version: 1, summary: 'Does what a test wants.', options: none,
        run({ graph }, { edit, select }) {
          const [node] = graph.nodes();
          if (!select.has(node!) || (node!.op === op && node!.int('start', 0) === (attributes['start'] ?? 0))) return;
          const operands = shape === undefined ? [] : [edit.constant(graph, Tensor.of('int64', shape))];
          const made = edit.insert({ op, inputs: [node!.inputs[0], ...operands], attributes, from: [node!] }, { before: node! });
          edit.replaceUses(node!.output, made.output);
          edit.remove(node!);
        },
      });
      const text = `# tolerance: exact\n<ir_version: 10, opset_import: ["": 21]>\nmain ${body}`;
      const { actual } = await check(tried, text);
      const { failures } = await check(tried, `${text}\n---\n${actual!}`);
      expect(failures.map((failure) => failure.check)).to.deep.equal(['numbers']);
      expect(failures[0]!.message).to.contain(inputs);
      // Without NaN and infinities where sums may be rounded.
      if (inputs === 'special numbers') expect((await check(tried, `${text.replace('exact', '0.1')}\n---\n${actual!}`)).failures).to.deep.equal([]);
    });
  }

  it('expectation: another model, other remarks, or nothing recorded', async () => {
    const { actual } = await check(sound, input);
    for (const expected of ['unchanged', actual!.replace('[relu]', '[rely]'), actual!.replace('applied', 'missed'), actual!.split('\n').slice(0, -1).join('\n'), '']) {
      const { failures } = await check(sound, `${input}\n---\n${expected}`);
      expect(failures.map((failure) => failure.check), expected).to.deep.equal(['expectation']);
      expect(failures[0]).to.include({ name: 'case', actual });
    }
  });

  it('expectation: a refusal, and a model that stays as it is', async () => {
    const refusing = pass(() => { throw new Diagnostic('tried/no', 'this is\nnot for me'); });
    expect((await check(refusing, `${input}\n---\n# fails tried/no: this is not for me`)).failures).to.deep.equal([]);
    expect((await check(pass(() => undefined), `${input}\n---\nunchanged`)).failures).to.deep.equal([]);
  });

  it('case: select names the nodes that may be touched', async () => {
    const one = definePass({ ...sound, run: (model, context) => { for (const node of model.graph.nodes()) if (node.op === 'Identity' && context.select.has(node)) shorten(node, context); } });
    expect((await check(one, `# select: [relu]\n${input}\n---\nunchanged`)).failures).to.deep.equal([]);
    expect((await check(one, `# select: [same]\n${input}\n---\nunchanged`)).failures.map((failure) => failure.check)).to.deep.equal(['expectation']);
  });

  it('case: a text that is no model, and inputs that no model takes', async () => {
    expect((await check(sound, `${input}}`)).failures).to.have.length(1).and.have.nested.property('[0].check', 'case');
    const { failures } = await check(sound, input.replace('Add (x, w)', 'Reshape (x, n)').replace('float[4] w = {1, -2, 3, 0.5}', 'int64[2] n = {7, 11}'));
    expect(failures.map((failure) => failure.check)).to.include('numbers');
    expect(failures.find((failure) => failure.check === 'numbers')!.message).to.contain('takes none of the inputs');
  });
});
