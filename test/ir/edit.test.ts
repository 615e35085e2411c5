import { expect } from 'chai';
import fc from 'fast-check';
import { detachedGraph, Editor } from '../../ir/edit.ts';
import { cloneGraph } from '../../ir/clone.ts';
import { Graph, Node, type Mutable, type Use, type Value } from '../../ir/model.ts';
import { sortModel } from '../../ir/order.ts';
import { Tensor } from '../../ir/tensor.ts';
import { tensorType } from '../../ir/type.ts';
import { verifyModel } from '../../ir/verify.ts';
import { apply, floats, newModel, randomModel, smallModel, steps, type Step } from './build.ts';

type Small = ReturnType<typeof smallModel>;

const uses = (value: Value): string[] => value.uses.map(({ user, index }) => `${user instanceof Node ? user.name : `graph ${user.name}`}:${index}`);
const findings = ({ model }: Small): string[] => verifyModel(model).map(({ message }) => message);

/** Calls that must be refused with an Error that says why, leaving the model as it was. */
const refusals: readonly [what: string, call: (small: Small) => unknown, reason: RegExp][] = [
  ['removing a node that is read', ({ edit, node }) => { edit.remove(node('relu')); }, /'relu_output' is read by input 0 of node 'add'/],
  ['removing a node whose output is the model\'s', ({ edit, node }) => { edit.remove(node('add')); }, /read by output 'y' of the graph/],
  ['removing a constant that is read', ({ edit, value }) => { edit.remove(value('w')); }, /'w' cannot be removed/],
  ['removing an output of a node as a value', ({ edit, node }) => { edit.remove(apply(edit, node('relu').graph, 'Neg', [node('relu').output]).output); }, /remove the node/],
  ['reading a value of a body from outside', ({ edit, node, value }) => { edit.setInput(node('add'), 1, value('half')); }, /not visible to 'add'/],
  ['reading a value of the other branch', ({ edit, node, value }) => { edit.setInput(node('neg'), 0, value('half')); }, /not visible to 'neg'/],
  ['inserting a node that reads a body', ({ edit, graph, value }) => { apply(edit, graph, 'Relu', [value('half')]); }, /not visible/],
  ['an output that is not visible', ({ edit, graph, value }) => { edit.setOutput(graph, 0, value('half')); }, /not visible/],
  ['a new output without a name', ({ edit, graph, value }) => { edit.setOutput(graph, 2, value('x')); }, /needs a name/],
  ['a new output with a gap before it', ({ edit, graph, value }) => { edit.setOutput(graph, 4, value('x'), 'w'); }, /needs a name, and those before it/],
  ['two outputs of one name', ({ edit, graph, value }) => { edit.setOutput(graph, 2, value('x'), 'y'); }, /has an output 'y' already/],
  ['a tensor for a value that has none', ({ edit, value }) => { edit.setTensor(value('x'), Tensor.scalar('float', 1)); }, /not a constant/],
  ['fixing an input without default', ({ edit, value }) => { edit.fixInputs(value('x').graph, [value('x')]); }, /not an input of graph 'main' with a default/],
  ['dropping an output that is read', ({ edit, node }) => { edit.dropOutput(node('relu').output); }, /read by/],
  ['dropping what is no output', ({ edit, value }) => { edit.dropOutput(value('w')); }, /no output of a node/],
  ['the type of a slot that is not there', ({ edit, graph }) => { edit.setOutputType(graph, 5, floats); }, /has no output 5/],
  ['a body that belongs to another node', ({ edit, graph, node }) => { edit.insert({ op: 'If', inputs: [], attributes: { then_branch: { kind: 'graph', value: node('neg').graph } } }, graph); }, /clone it/],
  ['one body for two attributes', ({ edit, node }) => { edit.setAttribute(node('choose'), 'else_branch', { kind: 'graph', value: node('neg').graph }); }, /clone it/],
  ['one body twice in a new node', ({ edit, graph }) => {
    const body = detachedGraph('b');
    edit.insert({ op: 'If', inputs: [], attributes: { then_branch: { kind: 'graph', value: body }, else_branch: { kind: 'graph', value: body } } }, graph);
  }, /clone it/],
  ['moving into another graph', ({ edit, node }) => { edit.move(node('neg'), { before: node('add') }); }, /different graphs/],
];

/** Like the refusals, but for things that were removed before: the verb that removed them counts, nothing after. */
const afterRemoval: readonly [what: string, call: (small: Small, gone: Node, value: Value) => unknown][] = [
  ['reading it', ({ edit, node }, _, value) => { edit.setInput(node('add'), 0, value); }],
  ['inserting a reader', ({ edit, graph }, _, value) => { apply(edit, graph, 'Relu', [value]); }],
  ['an output slot for it', ({ edit, graph }, _, value) => { edit.setOutput(graph, 0, value); }],
  ['removing it again', ({ edit }, gone) => { edit.remove(gone); }],
  ['changing its inputs', ({ edit, value }, gone) => { edit.setInput(gone, 0, value('w')); }],
  ['changing its attributes', ({ edit }, gone) => { edit.setAttribute(gone, 'alpha', 1); }],
  ['inserting before it', ({ edit, value }, gone) => { edit.insert({ op: 'Relu', inputs: [value('x')] }, { before: gone }); }],
  ['moving it', ({ edit, node }, gone) => { edit.move(gone, { before: node('add') }); }],
  ['dropping its output', ({ edit }, _, value) => { edit.dropOutput(value); }],
];

/** Each verb once, as a change. */
const verbs: readonly [name: string, call: (small: Small) => unknown][] = [
  ['insert', ({ edit, graph, value }) => edit.insert({ op: 'Relu', inputs: [value('x')] }, graph)],
  ['remove of a node', ({ edit, graph }) => { edit.setOutput(graph, 0, undefined); edit.remove([...graph.nodes()].find(({ name }) => name === 'add')!); }],
  ['remove of a constant', ({ edit, graph }) => { edit.remove(edit.constant(graph, Tensor.scalar('float', 1))); }],
  ['remove of an input', ({ edit, graph }) => { edit.remove(edit.addInput(graph, 'spare', undefined)); }],
  ['setInput', ({ edit, node, value }) => { edit.setInput(node('add'), 1, value('x')); }],
  ['setAttribute', ({ edit, node }) => { edit.setAttribute(node('add'), 'axis', 1); }],
  ['setAttribute to nothing', ({ edit, node }) => { edit.setAttribute(node('choose'), 'then_branch', undefined); }],
  ['setType', ({ edit, value }) => { edit.setType(value('x'), undefined); }],
  ['rename', ({ edit, value }) => { edit.rename(value('x'), 'input'); }],
  ['setOutput', ({ edit, graph, value }) => { edit.setOutput(graph, 0, value('x')); }],
  ['setOutputType', ({ edit, graph }) => { edit.setOutputType(graph, 0, floats); }],
  ['constant', ({ edit, graph }) => edit.constant(graph, Tensor.scalar('float', 1))],
  ['setTensor', ({ edit, value }) => { edit.setTensor(value('w'), Tensor.of('float', [1])); }],
  ['addInput', ({ edit, graph }) => edit.addInput(graph, 'more', floats)],
  ['fixInputs', ({ edit, graph }) => { edit.fixInputs(graph, [Object.assign(edit.addInput(graph, 'w2', floats), { tensor: Tensor.scalar('float', 1) })]); }],
  ['dropOutput', ({ edit, graph, value }) => { edit.dropOutput(apply(edit, graph, 'Two', [value('x')], { domain: 'test', outputs: 2 }).outputs[1]!); }],
  ['move', ({ edit, node }) => { edit.move(node('choose'), { before: node('relu') }); }],
  ['setModel', ({ edit }) => { edit.setModel({ irVersion: 9 }); }],
];

/** Verbs that need another one before them. */
const two = new Set(['remove of a node', 'remove of a constant', 'remove of an input', 'fixInputs', 'dropOutput']);

describe('ir/edit', () => {
  for (const [name, call] of verbs) {
    it(`counts ${name} as a change of the model`, () => {
      const small = smallModel();
      const [changes, version] = [small.edit.changes, small.model.version];
      call(small);
      const expected = two.has(name) ? 2 : 1;
      expect([small.edit.changes - changes, small.model.version - version]).to.deep.equal([expected, expected]);
    });
  }

  it('reserves labels of nodes and of values apart', () => {
    const { edit } = smallModel();
    expect([edit.label('node', 'relu'), edit.label('value', 'relu'), edit.label('value', 'x'), edit.label('node', 'x')]).to.deep.equal(['relu_1', 'relu', 'x_1', 'x']);
  });

  for (const [what, call, reason] of refusals) {
    it(`refuses ${what}`, () => {
      const small = smallModel();
      expect(() => call(small)).to.throw(Error, reason);
      // A verb that went before a refused one may have added a node; it must be sound all the same.
      expect(findings(small)).to.deep.equal([]);
    });
  }

  for (const [what, call] of afterRemoval) {
    it(`refuses ${what} once a node is removed`, () => {
      const small = smallModel();
      const gone = apply(small.edit, small.graph, 'Relu', [small.value('x')], { name: 'gone' });
      const value = gone.output;
      small.edit.remove(gone);
      const { changes } = small.edit;
      expect(() => call(small, gone, value)).to.throw(Error, /no longer/);
      expect(small.edit.changes).to.equal(changes);
      expect(findings(small)).to.deep.equal([]);
    });
  }

  it('counts changes and nothing else', () => {
    const { model, edit, node, value, graph } = smallModel();
    const { changes } = edit;
    const { version } = model;
    edit.setInput(node('add'), 1, value('w'));
    edit.setAttribute(node('add'), 'nothing', undefined);
    edit.setType(value('x'), value('x').type);
    edit.rename(node('add'), 'add');
    edit.setOutput(graph, 0, node('add').output);
    edit.setOutput(graph, 0, node('add').output, 'y');
    edit.setOutput(graph, 9, undefined);
    edit.setTensor(value('w'), value('w').tensor!);
    edit.move(node('relu'), { before: node('add') });
    expect(edit.replaceUses(value('w'), value('w'))).to.equal(0);
    expect([edit.changes, model.version]).to.deep.equal([changes, version]);
    edit.setInput(node('add'), 1, value('x'));
    edit.setOutput(graph, 0, node('add').output, 'sum');
    expect([edit.changes, model.version, graph.outputs[0]!.name]).to.deep.equal([changes + 2, version + 2, 'sum']);
  });

  it('replaces a value for all its readers: inputs, captures and output slots, whose names stay', () => {
    const small = smallModel();
    const { edit, node, value, graph } = small;
    edit.setOutput(graph, 2, node('relu').output, 'r');
    expect(uses(node('relu').output)).to.deep.equal(['add:0', 'neg:0', 'graph main:2']);
    expect(edit.replaceUses(node('relu').output, value('x'))).to.equal(3);
    edit.remove(node('relu'));
    expect(uses(value('x'))).to.deep.equal(['mul:0', 'add:0', 'neg:0', 'graph main:2']);
    expect(graph.outputs.map(({ name }) => name)).to.deep.equal(['y', 'z', 'r']);
    expect(findings(small)).to.deep.equal([]);
  });

  it('replaces some uses only', () => {
    const { edit, node, value } = smallModel();
    expect(edit.replaceUses(node('relu').output, value('x'), ({ user }: Use) => user instanceof Node && user.graph !== node('relu').graph)).to.equal(1);
    expect([node('add').inputs[0], node('neg').inputs[0]]).to.deep.equal([node('relu').output, value('x')]);
  });

  it('hands a removed label to what comes next, and makes others unique', () => {
    const { edit, graph, value, node } = smallModel();
    const first = apply(edit, graph, 'Relu', [value('x')], { name: 'relu' });
    expect([first.name, first.output.name]).to.deep.equal(['relu_1', 'relu_1_output']);
    edit.remove(first);
    expect(apply(edit, graph, 'Relu', [value('x')], { name: 'relu_1' }).name).to.equal('relu_1');
    edit.rename(value('w'), 'x');
    expect(value('w').name).to.equal('x_1');
    edit.rename(node('add'), '');
    expect(node('add').name).to.equal('_1');
  });

  it('gives a label that two branches bear to nobody before both are gone', () => {
    const { model, graph, node } = smallModel();
    for (const name of ['neg', 'mul']) (node(name).output as Mutable<Value>).name = 'same';
    const edit = new Editor(model);
    const neg = node('neg');
    edit.setOutput(neg.graph, 0, neg.inputs[0]);
    edit.remove(neg);
    expect(edit.constant(graph, Tensor.scalar('float', 1), 'same').name).to.equal('same_1');
    edit.setOutput(graph, 1, undefined);
    edit.remove(node('choose'));
    expect(edit.constant(graph, Tensor.scalar('float', 1), 'same').name).to.equal('same');
  });

  it('makes 100 000 labels from one base in linear time', () => {
    const { edit, graph } = newModel();
    const start = performance.now();
    for (let index = 0; index < 100_000; index++) edit.constant(graph, Tensor.scalar('float', 1), 'k');
    expect(performance.now() - start).to.be.below(15_000); // quadratic, it would be minutes
    expect(new Set(Array.from(graph.constants, ({ name }) => name)).size).to.equal(100_000);
  }).timeout(40_000);

  it('gives a new node the origins of those that it stands for', () => {
    const { edit, graph, value } = smallModel();
    const [a, b] = ['a', 'b'].map((name) => Object.assign(apply(edit, graph, 'Relu', [value('x')], { name }), { origin: [`read/${name}`, 'both'] }));
    expect(edit.insert({ op: 'Relu', inputs: [value('x')], from: [a!, b!] }, { after: a! }).origin).to.deep.equal(['read/a', 'both', 'read/b']);
  });

  it('inserts where it is told', () => {
    const { edit, graph, node, value } = smallModel();
    edit.insert({ op: 'Relu', inputs: [value('x')], name: 'first' }, { before: node('relu') });
    edit.insert({ op: 'Relu', inputs: [value('x')], name: 'second' }, { after: node('relu') });
    edit.insert({ op: 'Relu', inputs: [value('x')], name: 'last' }, { after: graph.last! });
    edit.move(node('choose'), { before: graph.first! });
    expect(Array.from(graph.nodes(), ({ name }) => name)).to.deep.equal(['choose', 'first', 'relu', 'second', 'add', 'last']);
    expect(graph.nodeCount).to.equal(6);
  });

  it('visits what stands behind, although nodes go and come during an iteration', () => {
    const { edit, graph } = newModel();
    const x = edit.addInput(graph, 'x', floats);
    const all = Array.from({ length: 6 }, (_, index) => apply(edit, graph, 'Relu', [x], { name: `n${index}` }));
    const seen: string[] = [];
    for (const node of graph.nodes()) {
      seen.push(node.name);
      if (node !== all[1]) continue;
      edit.insert({ op: 'Neg', inputs: [x], name: 'new' }, { after: all[4]! });
      for (const gone of [all[0]!, all[1], all[2]!, all[3]!]) edit.remove(gone);
    }
    expect(seen).to.deep.equal(['n0', 'n1', 'n4', 'new', 'n5']);
  });

  it('keeps captures right when bodies are removed, exchanged and set again', () => {
    const small = smallModel();
    const { edit, node, value, graph } = small;
    const choose = node('choose');
    const body = node('neg').graph;
    edit.setAttribute(choose, 'then_branch', { kind: 'graph', value: body, docString: 'the same body' });
    expect(uses(node('relu').output)).to.deep.equal(['add:0', 'neg:0']);
    const copy = cloneGraph(body);
    edit.setAttribute(choose, 'then_branch', { kind: 'graph', value: copy });
    expect(node('relu').output.uses.map(({ user }) => user)).to.deep.equal([node('add'), copy.first]);
    expect(findings(small)).to.deep.equal([]);
    edit.setOutput(graph, 1, undefined);
    edit.remove(choose);
    expect([uses(node('relu').output), uses(value('x')), uses(value('c'))]).to.deep.equal([['add:0'], ['relu:0'], []]);
    expect(findings(small)).to.deep.equal([]);
  });

  it('leaves inputs out and trims the end of the list', () => {
    const { edit, graph, node, value } = smallModel();
    const clip = apply(edit, graph, 'Clip', [value('x'), undefined, value('w'), undefined]);
    expect(clip.inputs).to.deep.equal([value('x'), undefined, value('w')]);
    edit.setInput(clip, 2, undefined);
    expect(clip.inputs).to.deep.equal([value('x')]);
    edit.setInput(clip, 2, value('w'));
    expect([clip.inputs, uses(value('w'))]).to.deep.equal([[value('x'), undefined, value('w')], ['add:1', 'clip:2']]);
    expect(node('add').inputs[1]).to.equal(value('w'));
  });

  it('drops outputs: the last disappears, others leave a gap', () => {
    const { edit, graph, value } = smallModel();
    const node = apply(edit, graph, 'Three', [value('x')], { domain: 'test', outputs: 3 });
    const [a, b, c] = node.outputs;
    edit.dropOutput(b!);
    expect(node.outputs).to.deep.equal([a, undefined, c]);
    edit.dropOutput(c!);
    expect(node.outputs).to.deep.equal([a]);
    expect(node.output).to.equal(a);
  });

  it('removes inputs and turns inputs with defaults into constants', () => {
    const small = smallModel();
    const { edit, graph, value, node } = small;
    const spare = edit.addInput(graph, 'spare', floats);
    const scale = Object.assign(edit.addInput(graph, 'scale', tensorType('float', [1])), { tensor: Tensor.of('float', [2]) });
    edit.setInput(node('add'), 1, scale);
    expect(scale.constant).to.equal(undefined);
    edit.remove(spare);
    edit.setTensor(scale, Tensor.of('float', [3]));
    expect([scale.index, scale.form]).to.deep.equal([2, undefined]);
    edit.fixInputs(scale.graph, [scale]);
    expect([scale.constant, scale.form, graph.inputs, [...graph.constants]]).to.deep.equal([scale.tensor, { kind: 'initializer' }, [value('x'), value('c')], [value('w'), scale]]);
    expect(findings(small)).to.deep.equal([]);
  });

  it('changes elements for all readers, with their type', () => {
    const { edit, value } = smallModel();
    edit.setTensor(value('w'), Tensor.of('double', [1, 2], [1, 2]));
    expect(value('w').type).to.deep.equal(tensorType('double', [1, 2]));
  });

  it('removes an output slot and moves the later ones up, uses included', () => {
    const small = smallModel();
    const { edit, graph, node } = small;
    edit.setOutput(graph, 0, undefined);
    expect([uses(node('add').output), uses(node('choose').output), graph.outputs.map(({ name }) => name)]).to.deep.equal([[], ['graph main:0'], ['z']]);
    edit.setOutput(graph, 1, node('add').output, 'y');
    edit.setOutputType(graph, 1, tensorType('float', [1]));
    expect(graph.outputs[1]).to.deep.include({ name: 'y', type: tensorType('float', [1]) });
    expect(findings(small)).to.deep.equal([]);
  });

  it('leaves every model sound whatever sequence of verbs it goes through, and does what each verb says', () => {
    fc.assert(fc.property(steps(10), steps(40), (plan, edits) => {
      const { model } = randomModel(plan);
      const edit = new Editor(model);
      const shadow = new Shadow(model.graph);
      for (const step of edits) {
        shadow.apply(step, edit);
        shadow.compare();
      }
      sortModel(model);
      expect(verifyModel(model).map(({ message }) => message)).to.deep.equal([]);
    }), { seed: 4, numRuns: 150 });
  }).timeout(60_000);
});

/** The simplest model of a model: who reads what, as plain lists. Verbs are applied to both, and both must stay the same. */
class Shadow {
  private readonly graph: Graph;
  private readonly reads = new Map<Node, (Value | undefined)[]>();
  private slots: Value[];
  private readonly constants = new Set<Value>();

  constructor(graph: Graph) {
    this.graph = graph;
    this.slots = graph.outputs.map(({ value }) => value);
    for (const node of graph.walk()) this.reads.set(node, [...node.inputs]);
    for (const at of this.graphs()) for (const value of at.constants) this.constants.add(value);
  }

  apply({ verb, a, b, c }: Step, edit: Editor): void {
    const nodes = [...this.reads.keys()];
    const node = nodes[a % nodes.length]!;
    const plain = node.domain === 'test';
    const target = this.visible(node)[b % this.visible(node).length]!;
    const values = [...this.values()];
    switch (verb % 9) {
      case 0: {
        if (node.graph !== this.graph && this.reaches(target, node)) return;
        const made = edit.insert({ op: 'Mix', domain: 'test', inputs: [target, undefined, target], name: 'made' }, c % 2 === 0 ? { before: node } : node.graph);
        this.reads.set(made, [target, undefined, target]);
        break;
      }
      case 1: {
        if (!plain || this.reaches(target, node)) return;
        const index = c % 4;
        edit.setInput(node, index, target);
        const list = this.reads.get(node)!;
        while (list.length <= index) list.push(undefined);
        list[index] = target;
        break;
      }
      case 2: {
        const list = this.reads.get(node)!;
        if (!plain || list.length === 0) return;
        edit.setInput(node, c % list.length, undefined);
        list[c % list.length] = undefined;
        while (list.length > 0 && list.at(-1) === undefined) list.pop();
        break;
      }
      case 3: {
        const dead = nodes.find((at) => at.outputs.every((value) => value === undefined || !this.isRead(value)));
        if (dead === undefined) return;
        const within = (at: Node): boolean => at === dead || (at.graph.owner instanceof Node && within(at.graph.owner));
        for (const at of nodes) if (within(at)) this.reads.delete(at);
        for (const at of this.constants) if (at.graph.owner instanceof Node && within(at.graph.owner)) this.constants.delete(at);
        edit.remove(dead);
        break;
      }
      case 4: {
        const old = values[c % values.length]!;
        const readers = [...this.reads].filter(([, list]) => list.includes(old)).map(([at]) => at);
        const bodies = this.graphs().filter((at) => at !== this.graph && at.outputs.some(({ value }) => value === old));
        const allowed = target.graph === this.graph && (target.producer === undefined || (bodies.length === 0 && readers.every((at) => !this.reaches(target, at))));
        if (!allowed || (bodies.length > 0 && target.producer === undefined)) return;
        edit.replaceUses(old, target);
        for (const [at, list] of this.reads) this.reads.set(at, list.map((value) => (value === old ? target : value)));
        this.slots = this.slots.map((value) => (value === old ? target : value));
        break;
      }
      case 5:
        this.constants.add(edit.constant(node.graph, Tensor.scalar('float', a), 'k'));
        break;
      case 6: {
        const dead = [...this.constants].find((value) => !this.isRead(value));
        if (dead === undefined) return;
        edit.remove(dead);
        this.constants.delete(dead);
        break;
      }
      case 7: {
        const outer = values.filter((value) => value.graph === this.graph);
        const value = outer[b % outer.length]!;
        const index = c % (this.slots.length + 1);
        if (c % 5 === 0 && this.slots.length > 1) {
          edit.setOutput(this.graph, 0, undefined);
          this.slots.shift();
        } else {
          edit.setOutput(this.graph, index, value, `slot_${a}_${b}_${c}_${this.graph.outputs.length}`.slice(0, 40) + String(edit.changes));
          this.slots[index] = value;
        }
        break;
      }
      default: {
        const mate = nodes.find((at) => at.graph === node.graph && at !== node);
        if (mate !== undefined) edit.move(node, c % 2 === 0 ? { before: mate } : { after: mate });
        edit.rename(node, 'renamed');
        edit.setAttribute(node, 'note', plain ? c : undefined);
      }
    }
  }

  compare(): void {
    // Compared by identity: a deep comparison of nodes would walk the whole graph.
    const nodes = [...this.graph.walk()];
    const same = (actual: readonly unknown[], expected: readonly unknown[]): boolean => actual.length === expected.length && actual.every((item, at) => item === expected[at]);
    if (nodes.length !== this.reads.size || !nodes.every((node) => this.reads.has(node))) throw new Error(`nodes are ${nodes.map(({ name }) => name).join(', ')}`);
    for (const [node, list] of this.reads) if (!same(node.inputs, list)) throw new Error(`inputs of ${node.name} differ`);
    if (!same(this.graph.outputs.map(({ value }) => value), this.slots)) throw new Error('outputs differ');
  }

  private graphs(): Graph[] {
    return [this.graph, ...[...this.graph.walk()].flatMap((node) => node.subgraphs)];
  }

  private *values(): Iterable<Value> {
    for (const graph of this.graphs()) yield* graph.values();
  }

  private visible(node: Node): Value[] {
    const chain: Graph[] = [];
    for (let at: Graph | undefined = node.graph; at !== undefined; at = at.parent) chain.push(at);
    return chain.flatMap((graph) => [...graph.values()]);
  }

  private isRead(value: Value): boolean {
    return this.slots.includes(value) || [...this.reads.values()].some((list) => list.includes(value))
      || this.graphs().some((graph) => graph !== this.graph && graph.outputs.some((output) => output.value === value));
  }

  /** True if `value` depends on `node` or on a node around it, so that reading it would close a cycle. */
  private reaches(value: Value, node: Node): boolean {
    const around = new Set<Node>();
    for (let at: Node | undefined = node; at !== undefined; at = at.graph.owner instanceof Node ? at.graph.owner : undefined) around.add(at);
    const seen = new Set<Value>();
    const visit = (at: Value): boolean => {
      if (seen.has(at)) return false;
      seen.add(at);
      const { producer } = at;
      if (producer === undefined) return false;
      const bodies = (from: Node): Value[] => from.subgraphs.flatMap((body) => [...body.outputs.map((output) => output.value), ...[...body.nodes()].flatMap((inner) => [...this.reads.get(inner)!, ...bodies(inner)])]).filter((read) => read !== undefined);
      return around.has(producer) || this.reads.get(producer)!.some((read) => read !== undefined && visit(read)) || bodies(producer).some(visit);
    };
    return visit(value);
  }
}
