import { expect } from 'chai';
import { Diagnostic } from '../../../ir/diagnostic.ts';
import { hashModel } from '../../../ir/hash.ts';
import type { Model } from '../../../ir/model.ts';
import { Tensor } from '../../../ir/tensor.ts';
import { parseModel } from '../../../ir/text/index.ts';
import { normalizeModel } from '../../../ir/normalize.ts';
import { Editor } from '../../../ir/edit.ts';
import { defineAnalysis } from '../../../passes/analysis.ts';
import type { Pass, PassContext } from '../../../passes/pass.ts';
import type { Instrument } from '../../../compiler/instruments/instrument.ts';
import { acceptance } from '../../../compiler/instruments/acceptance.ts';
import { runPass, runSteps, type Step, type World } from '../../../compiler/manager.ts';
import { createRuntime, type OrtRuntime } from '../../../compiler/runtime/runtime.ts';
import { loadTarget } from '../../../compiler/targets.ts';
import { smallModel } from '../workplace.ts';

type Run = (model: Model, context: PassContext<Readonly<Record<string, unknown>>>) => Promise<void> | void;

function pass(name: string, run: Run): Pass {
  return { name, version: 1, summary: 'Does what the test says.', options: { type: 'object', additionalProperties: false, properties: {} }, run };
}

function model(): Model {
  const read = parseModel(smallModel);
  normalizeModel(read, new Editor(read));
  return read;
}

const nodeNamed = (from: Model, name: string): NonNullable<Model['graph']['first']> => [...from.graph.walk()].find((node) => node.name === name)!;

describe('manager', () => {
  let runtime: OrtRuntime;
  before(() => { runtime = createRuntime(); });
  after(async () => { await runtime.close(); });
  const world = (instruments: readonly Instrument[] = [], signal = new AbortController().signal): World => ({ runtime, target: { ...loadTarget('portable') }, signal, instruments });
  const step = (run: Run, fields: Partial<Step> = {}): Step => ({ id: 'it', number: 1, pass: pass('it', run), options: {}, selected: undefined, ...fields });

  it('counts edits, and counts nothing for a pass that only looks', async () => {
    const changing = await runPass(model(), pass('rename', (m, { edit }) => { edit.rename(nodeNamed(m, 'relu'), 'other'); }), {}, world());
    expect(changing.count).to.equal(1);
    const looking = await runPass(model(), pass('look', (m) => { expect([...m.graph.nodes()]).to.have.length(4); }), {}, world());
    expect(looking.count).to.equal(0);
  });

  it('types what a step has made, and puts nodes into order', async () => {
    const m = model();
    await runPass(m, pass('insert', ({ graph }, { edit }) => {
      const relu = nodeNamed(m, 'relu');
      const abs = edit.insert({ op: 'Abs', inputs: [relu.output], from: [relu] }, { before: relu });
      edit.setInput(nodeNamed(m, 'reshape'), 0, abs.output);
      expect(graph.first).not.to.equal(abs);
    }), {}, world());
    expect([...m.graph.nodes()].map(({ op }) => op)).to.deep.equal(['Conv', 'Relu', 'Abs', 'Reshape', 'MatMul']);
    expect(nodeNamed(m, 'Abs').output.type).to.deep.include({ dtype: 'float', shape: [1, 2, 4, 4] });
  });

  it('follows a selection through the origin of what replaced a node', async () => {
    const m = model();
    const selected = new Set(['relu']);
    const replace = step((_m, { edit, select }) => {
      const relu = nodeNamed(m, 'relu');
      expect(select.has(relu)).to.equal(true);
      expect(select.has(nodeNamed(m, 'conv'))).to.equal(false);
      const twin = edit.insert({ op: 'LeakyRelu', inputs: relu.inputs, from: [relu], name: 'new' }, { after: relu });
      edit.replaceUses(relu.output, twin.output);
      edit.remove(relu);
    }, { selected });
    let found: string[] = [];
    const look = step((_m, { select }) => { found = [...m.graph.nodes()].filter((node) => select.has(node)).map(({ name }) => name); }, { id: 'look', selected });
    await runSteps(m, [replace, look], world());
    expect(found).to.deep.equal(['new']);
  });

  it('rolls back what a failing step did, and names the step', async () => {
    const m = model();
    const before = hashModel(m, { exact: true });
    const refusal = new Diagnostic('test/refused', 'no');
    for (const [error, code] of [[refusal, 'test/refused'], [new TypeError('oops'), 'internal/step-failed']] as const) {
      const failing = step((_m, { edit }) => {
        edit.replaceUses(nodeNamed(m, 'relu').output, nodeNamed(m, 'conv').output);
        edit.remove(nodeNamed(m, 'relu'));
        throw error;
      });
      const caught = await runSteps(m, [failing], world()).catch((thrown: unknown) => thrown) as Diagnostic;
      expect(caught).to.include({ name: 'Diagnostic', code, step: 'it' });
      expect(hashModel(m, { exact: true })).to.equal(before);
    }
  });

  it('calls instruments in order before a step, and in reverse after it or when it fails', async () => {
    const calls: string[] = [];
    const instrument = (name: string): Instrument => ({
      before: () => { calls.push(`before ${name}`); },
      after: (_step, _model, { count }) => { calls.push(`after ${name} ${count}`); },
      failed: () => { calls.push(`failed ${name}`); },
    });
    const list = [instrument('a'), instrument('b')];
    await runSteps(model(), [step(() => undefined)], world(list));
    await runSteps(model(), [step(() => { throw new Error('x'); })], world(list)).catch(() => undefined);
    expect(calls).to.deep.equal(['before a', 'before b', 'after b 0', 'after a 0', 'before a', 'before b', 'failed b', 'failed a']);
  });

  it('shows instruments what a failing step left, and the model before it', async () => {
    const m = model();
    let seen: [number, number] = [0, 0];
    const watch: Instrument = { failed: (_step, left, { before }) => { seen = [left.graph.nodeCount, before.graph.nodeCount]; } };
    await runSteps(m, [step((_m, { edit }) => { edit.insert({ op: 'Abs', inputs: [m.graph.inputs[0]] }, m.graph); throw new Error('x'); })], world([watch])).catch(() => undefined);
    expect(seen).to.deep.equal([5, 4]);
  });

  it('computes an analysis once for each version of the model', async () => {
    let runs = 0;
    const count = defineAnalysis({ name: 'count', run: (m) => { runs++; return m.graph.nodeCount; } });
    await runPass(model(), pass('ask', (m, { analysis, edit }) => {
      expect([analysis(count), analysis(count)]).to.deep.equal([4, 4]);
      edit.insert({ op: 'Abs', inputs: [m.graph.inputs[0]] }, m.graph);
      expect(analysis(count)).to.equal(5);
    }), {}, world());
    expect(runs).to.equal(2);
  });

  it('keeps remarks with names, statistics, and outputs', async () => {
    const result = await runPass(model(), pass('talk', (m, { remark, stat, output }) => {
      remark({ kind: 'missed', rule: 'why', message: 'not today', node: nodeNamed(m, 'relu') });
      stat('things');
      stat('things', 2);
      output({ path: 'a.bin', chunks: [new Uint8Array(3)] });
    }), {}, world());
    expect(result.remarks).to.deep.equal([{ kind: 'missed', rule: 'talk/why', message: 'not today', node: { name: 'relu', op: 'Relu', origin: ['relu'] } }]);
    expect([...result.stats]).to.deep.equal([['things', 3]]);
    expect(result.outputs.map(({ path }) => path)).to.deep.equal(['a.bin']);
  });

  it('takes a step back that misses its budget and says `onFail: revert`, and goes on', async () => {
    const m = model();
    const grow = step((_m, { edit }) => { edit.insert({ op: 'Abs', inputs: [m.graph.inputs[0]] }, m.graph); }, { accept: { nodes: { max: 4 }, onFail: 'revert' } });
    const [first, second] = await runSteps(m, [grow, step(() => undefined, { id: 'next' })], world([acceptance(() => undefined)]));
    expect(first!.reverted).to.include({ code: 'accept/budget', severity: 'warning', step: 'it' });
    expect([first!.count, m.graph.nodeCount, second!.step.id]).to.deep.equal([0, 4, 'next']);
    const error = await runSteps(m, [{ ...grow, accept: { nodes: { max: 4 } } }], world([acceptance(() => undefined)])).catch((thrown: unknown) => thrown);
    expect(error).to.include({ code: 'accept/budget' });
  });

  it('passes an abort on as it is, after rolling back', async () => {
    const m = model();
    const abort = new AbortController();
    const reason = new Error('enough');
    const run = runSteps(m, [step((_m, { edit, signal }) => {
      edit.constant(m.graph, Tensor.scalar('float', 1));
      abort.abort(reason);
      signal.throwIfAborted();
    })], world([], abort.signal));
    expect(await run.catch((thrown: unknown) => thrown)).to.equal(reason);
    expect(m.graph.constants.size).to.equal(3);
  });
});
