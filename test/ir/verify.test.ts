import { expect } from 'chai';
import fc from 'fast-check';
import { detachedGraph } from '../../ir/edit.ts';
import { addUse, dropUse, Graph, link, unlink, Value, type Model, type Mutable, type Node, type Use } from '../../ir/model.ts';
import { Tensor } from '../../ir/tensor.ts';
import { tensorType } from '../../ir/type.ts';
import { interfaceOf, verifyModel, type VerifyOptions } from '../../ir/verify.ts';
import { addFunction, apply, floats, newModel, randomModel, smallModel, steps } from './build.ts';

type Small = ReturnType<typeof smallModel>;

const open = <T>(thing: T): Mutable<T> => thing;

/** Each breaks a sound model in one way, behind the editor's back; expected are the codes of all findings, and what the first one says. */
const broken: readonly [what: string, break_: (small: Small) => VerifyOptions | undefined, codes: readonly string[], says: RegExp][] = [
  ['a node list that counts wrongly', ({ graph }) => { open(graph).nodeCount = 7; }, ['model/links'], /has 3 nodes, but counts 7/],
  ['a node list whose back link is wrong', ({ node }) => { open(node('add')).previous = node('choose'); }, ['model/links'], /broken at node 'add'/],
  ['a node list that runs in a circle', ({ node }) => { open(node('choose')).next = node('relu'); }, ['model/links'], /broken at node 'relu'/],
  ['a node that belongs to another graph', ({ node, graph }) => { open(node('neg')).graph = graph; }, ['model/links'], /'neg'/],
  ['a body that does not know its node', ({ node }) => { open(node('neg').graph).owner = node('add'); }, ['model/owner'], /graph 'yes' does not know where it stands/],
  ['a graph in two places', ({ node }) => { open(node('choose')).attributes = new Map([...node('choose').attributes].map(([name]) => [name, { kind: 'graph' as const, value: node('neg').graph }])); },
    ['model/owner'], /stands in two places/],
  ['a read that the use list lacks', ({ value, node }) => { dropUse(value('w'), node('add'), 1); }, ['model/uses'], /'w' is read 1 times, but knows of 0 uses/],
  ['a use that nobody reads', ({ value, node }) => { addUse(value('w'), node('relu'), 0); }, ['model/uses'], /uses of 'w' name node 'relu' \(Relu\) at 0, which does not read it/],
  ['a use twice', ({ value, node }) => { addUse(value('w'), node('add'), 1); }, ['model/uses'], /stands there already/],
  ['a use by a removed node', ({ edit, value, graph }) => {
    const gone = apply(edit, graph, 'Relu', [value('x')]);
    unlink(gone);
  }, ['model/uses'], /does not read it/],
  ['a wrong index in a use', ({ value }) => { (value('w').uses as Use[])[0] = { ...value('w').uses[0]!, index: 0 }; }, ['model/uses'], /at 0/],
  ['an output slot that the use list lacks', ({ graph, node }) => { dropUse(node('add').output, graph, 0); }, ['model/uses'], /'add_output'/],
  ['two values of one name', ({ value }) => { open(value('w')).name = 'x'; }, ['model/name'], /two values of graph 'main' are called 'x'/],
  ['a value without name', ({ value }) => { open(value('w')).name = ''; }, ['model/name'], /has no name/],
  ['a value of a body that hides one outside', ({ value }) => { open(value('half')).name = 'x'; }, ['model/name'], /'x' of graph 'no' hides the value of that name in graph 'main'/],
  ['two nodes of one name, where names count', ({ node }) => {
    open(node('neg')).name = 'add';
    return { nodeNames: true };
  }, ['model/node-name'], /\(Neg\) has the name of a Add/],
  ['a node without name, where names count', ({ node }) => {
    open(node('neg')).name = '';
    return { nodeNames: true };
  }, ['model/node-name'], /the Neg that makes 'neg_output' has no name/],
  ['an output that does not know its producer', ({ node }) => { open(node('relu').output).producer = undefined; }, ['model/removed', 'model/removed', 'model/producer'], /reads 'relu_output', which is no longer/],
  ['an output with a wrong index', ({ node }) => { open(node('choose').output).index = 3; }, ['model/producer', 'model/removed'], /'choose_output'/],
  ['an input with a wrong index', ({ value }) => { open(value('c')).index = 0; }, ['model/producer', 'model/removed'], /'c' of graph 'main'/],
  ['a value that belongs to another graph', ({ value, graph }) => { open(value('half')).graph = graph; }, ['model/producer', 'model/removed'], /'half'/],
  ['a constant without elements', ({ value }) => { open(value('w')).tensor = undefined; }, ['model/constant'], /'w' stands among the constants.*has no elements/],
  ['elements of an output', ({ node }) => { open(node('relu').output).tensor = Tensor.scalar('float', 1); }, ['model/constant', 'model/constant-type'], /has elements of its own/],
  ['elements that are not of the declared type', ({ value }) => { open(value('w')).type = tensorType('double', [4]); }, ['model/constant-type'], /'w' holds float\[4\], but is declared as double\[4\]/],
  ['elements that are not of the declared shape', ({ value }) => { open(value('w')).type = tensorType('float', [5]); }, ['model/constant-type'], /float\[5\]/],
  ['elements of another rank', ({ value }) => { open(value('w')).type = tensorType('float', ['N', 'M']); }, ['model/constant-type'], /float\[N,M\]/],
  ['a read of a removed constant', ({ graph, value }) => { (graph.constants as Set<Value>).delete(value('w')); }, ['model/removed'], /input 1 of node 'add' \(Add\) reads 'w', which is no longer in the model/],
  ['a read of a removed node', ({ node }) => { unlink(node('relu')); }, ['model/removed', 'model/removed', 'model/uses'], /reads 'relu_output', which is no longer/],
  ['a read of a dropped output', ({ node }) => { open(node('relu')).outputs = []; }, ['model/removed', 'model/removed', 'model/outputs'].sort(), /relu/],
  ['an outer read of a body', ({ node, value }) => {
    open(node('add')).inputs = [node('relu').output, value('half')];
    dropUse(value('w'), node('add'), 1);
    addUse(value('half'), node('add'), 1);
  }, ['model/scope'], /reads 'half' of graph 'no', which is not visible in graph 'main'/],
  ['a node before its producer', ({ edit, node }) => { edit.move(node('add'), { before: node('relu') }); }, ['model/order'], /input 0 of node 'add' \(Add\) reads 'relu_output' before node 'relu' \(Relu\) has made it/],
  ['a body before the producer of its capture', ({ edit, node }) => { edit.move(node('choose'), { before: node('relu') }); }, ['model/order'], /input 0 of node 'neg'/],
  ['a cycle', ({ edit, node }) => { edit.setInput(node('relu'), 0, node('add').output); }, ['model/cycle'], /'relu' \(Relu\) ← 'add' \(Add\) ← 'relu'/],
  ['a body that reads its own node', ({ edit, node }) => { edit.setInput(node('neg'), 0, node('choose').output); }, ['model/cycle'], /'choose' \(If\) ← 'choose'/],
  ['two outputs of one name', ({ graph }) => { open(graph).outputs = graph.outputs.map((slot) => ({ ...slot, name: 'y' })); }, ['model/output-name'], /two outputs 'y'/],
  ['an output without name', ({ graph }) => { open(graph).outputs = graph.outputs.map((slot, index) => ({ ...slot, name: index === 1 ? '' : slot.name })); }, ['model/output-name'], /output 1 of the model has no name/],
  ['an output with the name of another input', ({ graph }) => { open(graph).outputs = graph.outputs.map((slot, index) => ({ ...slot, name: index === 1 ? 'x' : slot.name })); }, ['model/output-name'], /has the name of an input/],
  ['a renamed output of the interface', ({ model, graph }) => {
    const before = interfaceOf(model);
    open(graph).outputs = graph.outputs.map((slot) => ({ ...slot, name: `${slot.name}2` }));
    return { interface: before };
  }, ['model/interface'], /the outputs of the model have changed: they are now without 'y', 'z' and with 'y2', 'z2'/],
  ['a removed input of the interface', ({ model, edit, graph }) => {
    const spare = edit.addInput(graph, 'spare', floats);
    const before = interfaceOf(model);
    edit.remove(spare);
    return { interface: before };
  }, ['model/interface'], /the inputs of the model have changed: they are now without 'spare'$/],
  ['another order of the interface', ({ model, graph }) => {
    const before = interfaceOf(model);
    open(graph).outputs = [...graph.outputs].reverse();
    graph.outputs.forEach(({ value }, index) => { dropUse(value, graph, 1 - index); addUse(value, graph, index); });
    return { interface: before };
  }, ['model/interface'], /in another order/],
  ['another element type in the interface', ({ model, edit, value }) => {
    const before = interfaceOf(model);
    edit.setType(value('x'), tensorType('float16', ['N', 4]));
    return { interface: before };
  }, ['model/interface'], /input 'x' was float\[N,4\], but is now float16\[N,4\]/],
  ['a domain that is not imported', ({ edit, graph, value }) => { apply(edit, graph, 'Gelu', [value('x')], { domain: 'com.example' }); }, ['model/opset'], /node 'gelu' \(Gelu\) is of domain 'com\.example', of which the model imports no version/],
  ['no import of the ONNX domain', ({ model }) => { open(model).opsets = new Map(); }, ['model/opset', 'model/opset', 'model/opset', 'model/opset', 'model/opset'], /'ai\.onnx'/],
  ['an operator that does not exist', ({ edit, graph, value }) => { apply(edit, graph, 'Relux', [value('x')]); }, ['model/operator'], /node 'relux' \(Relux\) is no operator of opset 17/],
  ['an operator that came later', ({ edit, graph, value }) => { apply(edit, graph, 'Gelu', [value('x')]); }, ['model/operator'], /opset 17/],
  ['an operator that has ended', ({ edit, graph, value }) => { apply(edit, graph, 'Upsample', [value('x'), value('w')]); }, ['model/operator'], /Upsample ended with opset 10/],
  ['too few inputs', ({ edit, graph, value }) => { apply(edit, graph, 'Sub', [value('x')]); }, ['model/inputs'], /lacks input 1, which Sub needs/],
  ['too many inputs', ({ edit, graph, value }) => { apply(edit, graph, 'Neg', [value('x'), value('x')]); }, ['model/inputs'], /has 2 inputs, but Neg takes at most 1/],
  ['a required input left out', ({ edit, graph, value }) => { apply(edit, graph, 'Sub', [undefined, value('x')]); }, ['model/inputs'], /lacks input 0/],
  ['a gap among variadic inputs', ({ edit, graph, value }) => { apply(edit, graph, 'Sum', [value('x'), undefined, value('x')]); }, ['model/inputs'], /lacks input 1/],
  ['an input left out at the end', ({ node }) => { open(node('relu')).inputs = [...node('relu').inputs, undefined]; }, ['model/inputs', 'model/inputs'], /end with one that is left out/],
  ['too many outputs', ({ edit, graph, value }) => { apply(edit, graph, 'Neg', [value('x')], { outputs: 2 }); }, ['model/outputs'], /has 2 outputs, but Neg makes at most 1/],
  ['too few outputs', ({ edit, graph, value }) => { apply(edit, graph, 'TopK', [value('x'), value('w')]); }, ['model/outputs'], /has 1 outputs, but TopK makes at least 2/],
  ['an attribute of the wrong kind', ({ edit, graph, value }) => { apply(edit, graph, 'Softmax', [value('x')], { attributes: { axis: 0.5 } }); }, ['model/attribute'], /attribute 'axis' of kind float, but Softmax wants int/],
  ['an attribute that the operator does not have', ({ edit, graph, value }) => { apply(edit, graph, 'Neg', [value('x')], { attributes: { alpha: 1 } }); }, ['model/attribute'], /has attribute 'alpha', which Neg does not have in version 13/],
  ['an attribute that is missing', ({ edit, graph, value }) => { apply(edit, graph, 'Concat', [value('x')]); }, ['model/attribute-missing'], /lacks attribute 'axis', which Concat needs/],
  ['an attribute reference outside functions', ({ edit, node }) => { edit.setAttribute(node('relu'), '__note', { kind: 'reference', name: 'alpha', type: 'int' }); }, ['model/reference'], /does not stand in a function/],
  ['a branch with inputs', ({ edit, node }) => { edit.addInput(node('neg').graph, 'extra', floats); }, ['model/body'], /has inputs in its then_branch/],
  ['branches with different outputs', ({ edit, node }) => { edit.setOutput(node('neg').graph, 1, node('neg').output, 'more'); }, ['model/body'], /branches with 2 and 1 outputs/],
  ['branches with too few outputs', ({ edit, node }) => {
    edit.setOutput(node('neg').graph, 0, undefined);
    edit.setOutput(node('mul').graph, 0, undefined);
  }, ['model/body', 'model/body'], /has 1 outputs, but its then_branch has 0/],
  ['a Loop whose body has too few inputs', (small) => { loop(small, 2, 2); }, ['model/body'], /body with 2 inputs, but its own inputs call for 3/],
  ['a Loop whose body has too few outputs', (small) => { loop(small, 3, 1); }, ['model/body'], /body with 1 outputs, but needs at least 2/],
  ['a Scan without inputs for its scans', (small) => { scan(small, 2, 5); }, ['model/body'], /has 2 inputs for 5 scan inputs/],
  ['a Scan whose body does not fit', (small) => { scan(small, 3, 1); }, ['model/body'], /body with 3 inputs, but its own inputs call for 2/],
  ['a call with too many inputs', (small) => { call(small, [small.value('x'), small.value('x')], { alpha: 1 }); }, ['model/inputs'], /function 'Scale' has 1/],
  ['a call with too many outputs', (small) => { call(small, [small.value('x')], { alpha: 1 }, 2); }, ['model/outputs'], /function 'Scale' has 1/],
  ['a call without a required attribute', (small) => { call(small, [small.value('x')], {}); }, ['model/attribute-missing'], /lacks attribute 'alpha', which function 'Scale' needs/],
  ['a reference to an attribute that the function lacks', ({ model }) => {
    addFunction(model, 'F', ['a'], (edit, body, [a]) => [apply(edit, body, 'Softmax', [a], { attributes: { axis: { kind: 'reference', name: 'beta', type: 'int' } } }).output]);
  }, ['model/reference'], /attribute 'beta', which function 'F' does not declare/],
  ['a reference of the wrong kind', ({ model }) => {
    addFunction(model, 'F', ['a'], (edit, body, [a]) => [apply(edit, body, 'Softmax', [a], { attributes: { axis: { kind: 'reference', name: 'beta', type: 'floats' } } }).output], { attributes: ['beta'] });
  }, ['model/attribute'], /wants int/],
  ['functions that call each other', ({ model }) => {
    addFunction(model, 'F', ['a'], (edit, body, [a]) => [apply(edit, body, 'G', [a], { domain: 'local' }).output], { opsets: new Map([['local', 1]]) });
    addFunction(model, 'G', ['a'], (edit, body, [a]) => [apply(edit, body, 'F', [a], { domain: 'local' }).output], { opsets: new Map([['local', 1]]) });
  }, ['model/function-cycle'], /function '[FG]' calls '[FG]', which calls it in turn/],
  ['a function that reads the model', ({ model, value }) => {
    addFunction(model, 'F', ['a'], (edit, body) => [apply(edit, body, 'Relu', [value('x')]).output]);
  }, ['model/scope'], /not visible in graph 'F'/],
  ['a function without import of what it uses', ({ model }) => {
    addFunction(model, 'F', ['a'], (edit, body, [a]) => [apply(edit, body, 'Relu', [a]).output], { opsets: new Map() });
  }, ['model/opset'], /function 'F' imports no version/],
];

function loop({ edit, graph, value }: Small, inputs: number, outputs: number): Node {
  const body = detachedGraph('body');
  const formal = Array.from({ length: inputs }, (_, index) => edit.addInput(body, `in${index}`, floats));
  const node = apply(edit, body, 'Relu', [formal.at(-1)]);
  for (let index = 0; index < outputs; index++) edit.setOutput(body, index, node.output, `out${index}`);
  return apply(edit, graph, 'Loop', [undefined, value('c'), value('x')], { attributes: { body: { kind: 'graph', value: body } } });
}

function scan({ edit, graph, value }: Small, inputs: number, scanned: number): Node {
  const body = detachedGraph('body');
  const formal = Array.from({ length: inputs }, (_, index) => edit.addInput(body, `in${index}`, floats));
  edit.setOutput(body, 0, apply(edit, body, 'Relu', [formal[0]]).output, 'out');
  return apply(edit, graph, 'Scan', [value('x'), value('x')], { attributes: { body: { kind: 'graph', value: body }, num_scan_inputs: scanned } });
}

function call(small: Small, inputs: readonly Value[], attributes: Record<string, number>, outputs = 1): Node {
  addFunction(small.model, 'Scale', ['a'], (edit, body, [a]) => [apply(edit, body, 'Relu', [a]).output], { attributes: ['alpha'] });
  return apply(small.edit, small.graph, 'Scale', inputs, { domain: 'local', attributes, outputs });
}

/** What may look odd, but is sound. */
const sound: readonly [what: string, make: (small: Small) => VerifyOptions | undefined][] = [
  ['one value in two output slots', ({ edit, graph, node }) => { edit.setOutput(graph, 2, node('add').output, 'again'); }],
  ['an input that is an output under its own name', ({ edit, graph, value }) => { edit.setOutput(graph, 2, value('x'), 'x'); }],
  ['the same label in two branches', ({ node }) => { open(node('neg').output).name = 'same'; open(node('mul').output).name = 'same'; }],
  ['unnamed and doubly named nodes, where names do not count', ({ node }) => { open(node('neg')).name = ''; open(node('mul')).name = ''; open(node('add')).name = 'relu'; }],
  ['an operator of a foreign domain', ({ edit, graph, value }) => { apply(edit, graph, 'Anything', [undefined, value('x')], { domain: 'test', outputs: 4, attributes: { any: 'thing' } }); }],
  ['an operator that the table of facts is too old for', ({ model, edit, graph, value }) => { open(model).opsets = new Map([['', 99]]); apply(edit, graph, 'FutureOp', [value('x')]); }],
  ['a private note among the attributes', ({ edit, node }) => { edit.setAttribute(node('relu'), '__note', 'kept'); }],
  ['a Loop', (small) => { loop(small, 3, 2); }],
  ['a Scan', (small) => { scan(small, 2, 1); }],
  ['a call', (small) => { call(small, [small.value('x')], { alpha: 1 }); }],
  ['a function in the ONNX domain', ({ model, edit, graph, value }) => {
    addFunction(model, 'NewOp', ['a'], (inner, body, [a]) => [apply(inner, body, 'Relu', [a]).output], { domain: '', opsets: new Map([['', 17]]) });
    open(model).opsets = new Map([['', 17]]);
    apply(edit, graph, 'NewOp', [value('x')]);
  }],
  ['an attribute reference in a function', ({ model }) => {
    addFunction(model, 'F', ['a'], (edit, body, [a]) => [apply(edit, body, 'Softmax', [a], { attributes: { axis: { kind: 'reference', name: 'axis', type: 'int' } } }).output], { defaults: new Map([['axis', { kind: 'int', value: 1 }]]) });
  }],
  ['a dead node, an unread constant and an unread input', ({ edit, graph, value }) => { apply(edit, graph, 'Relu', [value('x')]); edit.constant(graph, Tensor.scalar('float', 1)); edit.addInput(graph, 'spare', undefined); }],
  ['an optional input left out', ({ edit, graph, value }) => { apply(edit, graph, 'Clip', [value('x'), undefined, value('half').graph === graph ? value('half') : value('w')]); }],
  ['a declared symbol for a length', ({ value }) => { open(value('w')).type = tensorType('float', ['K']); }],
  ['other lengths in the interface', ({ model, edit, value }) => {
    const before = interfaceOf(model);
    edit.setType(value('x'), tensorType('float', ['batch', 4]));
    return { interface: before };
  }],
];

/** Everything of a model that verify might touch, as text. */
function snapshot(model: Model): string {
  const describe = (value: Value): string => `${value.name}/${value.index}/${value.uses.map(({ user, index }) => `${user.name}.${index}`).join()}`;
  return [model.version, ...[...model.graph.walk()].map(({ name, inputs }) => `${name}(${inputs.map((value) => value?.name).join()})`), ...[...model.graph.values()].map(describe)].join('\n');
}

describe('ir/verify', () => {
  for (const [what, break_, codes, says] of broken) {
    it(`reports ${what}`, () => {
      const small = smallModel();
      expect(verifyModel(small.model)).to.deep.equal([]);
      const options = break_(small);
      const { version } = small.model;
      const found = verifyModel(small.model, options);
      expect(found.map(({ code }) => code).sort(), found.map(({ message }) => message).join('\n')).to.deep.equal([...codes].sort());
      expect(found.some(({ message }) => says.test(message)), found.map(({ message }) => message).join('\n')).to.equal(true);
      for (const { node, tensor, suggestion, code, message } of found) {
        if (/^input \d/.test(message)) expect(node, 'the node that reads').to.not.equal(undefined);
        expect(suggestion, 'what to do').to.match(/^[A-Z].*[.]/);
        if (!['model/links', 'model/owner', 'model/interface', 'model/output-name'].includes(code)) expect(node ?? tensor, 'the node or tensor').to.not.equal(undefined);
      }
      expect(small.model.version).to.equal(version);
    });
  }

  for (const [what, make] of sound) {
    it(`passes ${what}`, () => {
      const small = smallModel();
      const options = make(small);
      const before = snapshot(small.model);
      expect(verifyModel(small.model, options).map(({ message }) => message)).to.deep.equal([]);
      expect(snapshot(small.model)).to.equal(before);
    });
  }

  it('passes random sound models and changes nothing in them', () => {
    fc.assert(fc.property(steps(30), (plan) => {
      const { model } = randomModel(plan);
      const before = snapshot(model);
      expect(verifyModel(model, { nodeNames: true, interface: interfaceOf(model) }).map(({ message }) => message)).to.deep.equal([]);
      expect(snapshot(model)).to.equal(before);
    }), { seed: 5, numRuns: 100 });
  });

  it('names the file', () => {
    const graph = new Graph('main');
    const { model } = newModel();
    open(model).source = 'a.onnx';
    open(model).graph = graph;
    expect(verifyModel(model).map(({ file }) => file)).to.deep.equal(['a.onnx']);
  });

  it('stops at the limit', () => {
    const { model, edit, graph } = newModel();
    for (let index = 0; index < 300; index++) apply(edit, graph, 'Nothing', []);
    expect([verifyModel(model).length, verifyModel(model, { limit: 3 }).length]).to.deep.equal([100, 3]);
  });

  it('takes linear time: 50 000 nodes with one shared constant, a chain of 20 000 functions, 20 000 outputs', () => {
    const { model, edit, graph } = newModel();
    let value = edit.addInput(graph, 'x', floats);
    const shared = edit.constant(graph, Tensor.scalar('float', 1), 'w');
    for (let index = 0; index < 50_000; index++) value = apply(edit, graph, 'Add', [value, shared]).output;
    open(graph).outputs = Array.from({ length: 20_000 }, (_, index) => ({ name: `y${index}`, value, type: undefined, extras: undefined }));
    graph.outputs.forEach((_, index) => { addUse(value, graph, index); });
    const functions = new Map<string, ReturnType<typeof addFunction>>();
    const { model: other } = newModel();
    for (let index = 0; index < 20_000; index++) {
      open(other).functions = new Map();
      const local = addFunction(other, `F${index}`, ['a'], (inner, body, [a]) => [apply(inner, body, `F${index + 1}`, [a], { domain: 'local' }).output], { opsets: new Map([['local', 1]]) });
      functions.set(local.key, local);
    }
    open(model).functions = functions;
    const start = performance.now();
    expect(verifyModel(model)).to.deep.equal([]);
    expect(performance.now() - start).to.be.below(15_000); // quadratic, it would be minutes
  }).timeout(60_000);

  it('does not fall over a list that links back to itself', () => {
    const { model, graph, edit } = newModel();
    const node = apply(edit, graph, 'Constant', []);
    open(node).next = node;
    expect(verifyModel(model).map(({ code }) => code)).to.deep.equal(['model/links']);
    link(node, undefined);
    expect(verifyModel(model)[0]!.code).to.equal('model/links');
    expect(new Value('v', graph, {}).uses).to.deep.equal([]);
  });
});
