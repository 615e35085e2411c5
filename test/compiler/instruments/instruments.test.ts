import { expect } from 'chai';
import { Diagnostic } from '../../../ir/diagnostic.ts';
import { Editor } from '../../../ir/edit.ts';
import { parseModel } from '../../../ir/text/index.ts';
import { interfaceOf } from '../../../ir/verify.ts';
import { definePass, type OptionsSchema, type Pass } from '../../../compiler/index.ts';
import { cloneModel } from '../../../ir/clone.ts';
import type { Model } from '../../../ir/model.ts';
import { acceptance, checkMetrics, missedBudgets } from '../../../compiler/instruments/acceptance.ts';
import { dump } from '../../../compiler/instruments/dump.ts';
import type { Change } from '../../../compiler/instruments/instrument.ts';
import { progress } from '../../../compiler/instruments/progress.ts';
import { canonical, hashOf, provenance } from '../../../compiler/instruments/provenance.ts';
import { isDefect, reproducer } from '../../../compiler/instruments/reproducer.ts';
import { figuresOf, statistics } from '../../../compiler/instruments/statistics.ts';
import { timing } from '../../../compiler/instruments/timing.ts';
import { verify } from '../../../compiler/instruments/verify.ts';
import type { Step } from '../../../compiler/manager.ts';
import { smallModel } from '../workplace.ts';

const none = { type: 'object', additionalProperties: false, properties: {} } as const;
const writer: Pass = definePass({ name: 'write', version: 3, summary: 'Writes.', options: none, outputs: () => ['a.onnx'], run: () => undefined });
const plain: Pass = definePass({ name: 'plain', version: 1, summary: 'Does.', options: none, run: () => undefined });
const step = (pass: Pass, fields: Partial<Step> = {}): Step => ({ id: pass.name, number: 1, pass, options: {}, selected: undefined, ...fields });
const change = (before: Model, count = 1): Change => ({ count, before, remarks: [], stats: new Map() });
const model = (): Model => parseModel(smallModel);

describe('instruments', () => {
  describe('verify', () => {
    it('accepts a valid model, and does not look at an unchanged one', async () => {
      const m = model();
      await verify(() => interfaceOf(m)).after?.(step(plain), m, change(m));
      const broken = model();
      new Editor(broken).setAttribute(broken.graph.first!, 'group', 'two');
      await verify().after?.(step(plain), broken, change(broken, 0));
    });

    it('names the step and the node of an invalid one', () => {
      const broken = model();
      new Editor(broken).setAttribute(broken.graph.first!, 'group', 'two');
      expect(() => verify().after?.(step(plain), broken, change(broken))).to.throw(Diagnostic).that.deep.includes({ code: 'internal/invalid-model', step: 'plain' })
        .and.has.nested.property('node.name', 'conv');
    });

    it('compares the interface', () => {
      const m = model();
      const before = interfaceOf(m);
      new Editor(m).setOutput(m.graph, 0, m.graph.last!.output, 'other');
      expect(() => verify(() => before).after?.(step(plain), m, change(m))).to.throw(/other|scores/);
    });
  });

  describe('statistics', () => {
    it('counts nodes, operators, work, parameters and bytes', () => {
      expect(figuresOf(model())).to.deep.equal({ nodes: 4, operators: { Conv: 1, MatMul: 1, Relu: 1, Reshape: 1 }, macs: 0, uncounted: 2, parameters: 100, bytes: 16 + 384 + 16 });
    });

    it('counts again only what changed', async () => {
      const m = model();
      const counted = statistics();
      await counted.before?.(step(plain), m);
      new Editor(m).insert({ op: 'Abs', inputs: [m.graph.inputs[0]] }, m.graph);
      await counted.after?.(step(plain), m, change(m));
      const { before, after } = counted.figures.get('plain')!;
      expect([before.nodes, after.nodes]).to.deep.equal([4, 5]);
    });
  });

  it('timing measures by the clock that it is given', async () => {
    let now = 5;
    const clock = timing(() => now);
    await clock.before?.(step(plain), model());
    now = 12;
    await clock.after?.(step(plain), model(), change(model()));
    expect([...clock.times]).to.deep.equal([['plain', 7]]);
  });

  describe('dump', () => {
    it('prints before the first step and after changes, and what a failing step left', async () => {
      const files = new Map<string, string>();
      const { before, after, failed } = dump((name, text) => files.set(name, text));
      const m = model();
      const first = cloneModel(m);
      await before?.(step(plain), m);
      await after?.(step(plain), m, change(first, 0));
      await after?.(step(plain, { id: 'a/b c', number: 2 }), m, change(first));
      await failed?.(step(plain, { number: 3 }), m, { error: new Error('x'), before: first, notes: [] });
      new Editor(m).rename(m.graph.first!, 'renamed');
      await failed?.(step(plain, { number: 4 }), m, { error: new Error('x'), before: first, notes: [] });
      expect([...files.keys()]).to.deep.equal(['00-input.onnxtxt', '02-a_b_c.onnxtxt', '04-plain.failed.onnxtxt']);
      expect(parseModel(files.get('02-a_b_c.onnxtxt')!.replace(/"sha256:[^"]*"/g, (hash) => hash), { tensor: () => [...m.graph.constants][1]!.tensor! }).graph.nodeCount).to.equal(4);
    });
  });

  it('progress overwrites one line, and wipes it', () => {
    let text = '';
    const line = progress((part) => { text += part; }, 3, 20);
    void line.before?.(step(plain), model());
    line.progress?.(step(plain), 1, 4, 'of a very long description');
    void line.after?.(step(plain), model(), change(model()));
    expect(text.split('\r\u001B[K')).to.deep.equal(['', '[1/3] plain', '[1/3] plain 25 % of', '']);
  });

  describe('provenance', () => {
    it('writes a sorted record before steps that write files, and replaces an earlier one', async () => {
      const m = model();
      new Editor(m).setModel({ extras: { metadata: new Map([['zoo', '1'], ['onnxpress.version', 'old'], ['onnxpress.gone', 'old'], ['animal', '2']]) } });
      const record = provenance({ version: '9', recipe: 'r', model: 'm', target: 't' });
      await record.before?.(step(plain), m);
      expect(m.extras!.metadata!.get('onnxpress.version')).to.equal('old');
      await record.after?.(step(plain, { number: 0 }), m, change(m));
      await record.after?.(step(plain, { options: { a: 1 } }), m, change(m));
      await record.before?.(step(writer), m);
      expect([...m.extras!.metadata!]).to.deep.equal([
        ['animal', '2'], ['onnxpress.history', JSON.stringify([{ pass: 'plain', version: 1, options: hashOf({ a: 1 }), changed: true }])],
        ['onnxpress.model', 'm'], ['onnxpress.producer', 'hand 1'], ['onnxpress.recipe', 'r'], ['onnxpress.target', 't'], ['onnxpress.version', '9'], ['zoo', '1'],
      ]);
      expect([m.producerName, m.producerVersion]).to.deep.equal(['onnxpress', '9']);
    });

    it('hashes data whatever the order of its keys', () => {
      expect(canonical({ b: [1, { d: 1, c: 2 }], a: null })).to.equal('{"a":null,"b":[1,{"c":2,"d":1}]}');
      expect(hashOf({ a: 1, b: 2 })).to.equal(hashOf({ b: 2, a: 1 })).and.not.equal(hashOf({ a: 1, b: 3 }));
    });
  });

  describe('acceptance', () => {
    it('refuses metrics that need data', () => {
      expect(() => { checkMetrics({ onFail: 'warn', size: { max: 1 }, nodes: { max: 1 }, parameters: { max: 1 }, macs: { max: 1 } }, 'it'); }).not.to.throw();
      expect(() => { checkMetrics({ cosine: { min: 0.9 } }, 'it'); }).to.throw(Diagnostic, /cosine/).with.property('code', 'accept/unknown-metric');
    });

    it('says by how much a bound is missed; bounds are inclusive', () => {
      const m = model();
      expect(missedBudgets({ nodes: { min: 4, max: 4 }, parameters: { max: 100 } }, m, 'it')).to.deep.equal([]);
      expect(missedBudgets({ nodes: { max: 3 }, parameters: { min: 101 } }, m, 'it').map(({ message }) => message)).to.deep.equal([
        'it accepts at most 3 for `nodes`, and the model has 4', 'it accepts at least 101 for `parameters`, and the model has 100',
      ]);
    });

    it('fails the step, or warns', () => {
      const warnings: Diagnostic[] = [];
      const { after } = acceptance((missed) => warnings.push(missed));
      const m = model();
      expect(() => after?.(step(plain, { accept: { nodes: { max: 1 } } }), m, change(m))).to.throw(Diagnostic).with.property('code', 'accept/budget');
      void after?.(step(plain, { accept: { nodes: { max: 1 }, onFail: 'warn' } }), m, change(m));
      expect(warnings.map(({ severity, step: id }) => [severity, id])).to.deep.equal([['warning', 'plain']]);
    });
  });

  describe('reproducer', () => {
    it('is written for defects only', async () => {
      expect([new TypeError('x'), new Diagnostic('internal/invalid-model', 'x'), new Diagnostic('export/opset', 'x')].map(isDefect)).to.deep.equal([true, true, false]);
      let written = 0;
      const { failed } = reproducer({ version: '1', versions: {}, target: 'portable', plugins: [] }, () => { written++; return '/tmp/x'; }, new AbortController().signal);
      const m = model();
      await failed?.(step(plain), m, { error: new Diagnostic('export/opset', 'x'), before: m, notes: [] });
      expect(written).to.equal(0);
      const notes: { message: string }[] = [];
      await failed?.(step(plain), m, { error: new Error('x'), before: m, notes });
      expect([written, notes]).to.deep.equal([1, [{ message: 'replay it: onnxpress compile /tmp/x/recipe.yaml' }]]);
      const aborted = reproducer({ version: '1', versions: {}, target: 'portable', plugins: [] }, () => { written++; return ''; }, AbortSignal.abort());
      await aborted.failed?.(step(plain), m, { error: new Error('x'), before: m, notes: [] });
      expect(written).to.equal(1);
    });

    it('keeps outputs inside its folder, and text that looks like a variable', async () => {
      const options = { ...none, properties: { output: { type: 'string', format: 'path', description: 'It.' }, note: { type: 'string', description: 'It.' } } } as const satisfies OptionsSchema;
      let text = '';
      const { failed } = reproducer({ version: '1', versions: {}, target: 'portable', plugins: [] }, (_step, files) => { text = files.get('recipe.yaml') as string; return '/tmp/x'; }, new AbortController().signal);
      const m = model();
      await failed?.(step({ ...writer, options }, { options: { output: '../../etc/a.onnx', note: '${vars.x}' }, selected: new Set() }), m, { error: new Error('x'), before: m, notes: [] });
      expect(text).to.contain('output: a.onnx').and.contain('$${vars.x}').and.contain('optional: true');
    });
  });
});
