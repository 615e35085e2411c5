import type { Attribute } from './attribute.ts';
import { Cloner } from './clone.ts';
import { constantTensor } from './constant.ts';
import { Diagnostic } from './diagnostic.ts';
import type { Editor } from './edit.ts';
import { functionKey, Node, type Extras, type LocalFunction, type Model, type Mutable, type Value } from './model.ts';

/** The function of the model that a node calls, if it calls one. A function takes precedence over an operator of its name. */
export function calleeOf(node: Node, model: Model): LocalFunction | undefined {
  return model.functions.size === 0 ? undefined : model.functions.get(functionKey(node.domain, node.op, node.overload));
}

/** All functions of a model, those that are called before those that call them. Throws `model/function-cycle`. */
export function callOrder(model: Model): LocalFunction[] {
  const order: LocalFunction[] = [];
  const state = new Map<LocalFunction, 'open' | 'done'>();
  for (const start of model.functions.values()) {
    if (state.has(start)) continue;
    // A stack of our own: a chain of calls may be longer than JavaScript's stack.
    const stack = [{ local: start, nodes: start.body.walk()[Symbol.iterator]() }];
    state.set(start, 'open');
    for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
      const step = top.nodes.next();
      if (step.done) {
        state.set(top.local, 'done');
        order.push(top.local);
        stack.pop();
        continue;
      }
      const called = calleeOf(step.value, model);
      if (called === undefined || state.get(called) === 'done') continue;
      if (state.get(called) === 'open') {
        throw new Diagnostic('model/function-cycle', `function '${top.local.name}' calls '${called.name}', which calls it in turn`, {
          node: step.value.reference, suggestion: 'A function cannot be recursive; export the model again.',
        });
      }
      state.set(called, 'open');
      stack.push({ local: called, nodes: called.body.walk()[Symbol.iterator]() });
    }
  }
  return order;
}

/**
 * Puts the body of a function, which must be in order, in the place of a call and returns its nodes. Attribute references take the
 * call's attributes or the function's defaults; inputs that the call leaves out are left out of the body's nodes; what made an output of the
 * call takes over its label. New nodes are called `call/node` and descend from the call as it was read.
 * The caller has made sure that the operators mean the same in both operator sets. Throws `model/attribute-missing` and `model/outputs`.
 */
export function inlineCall(call: Node, local: LocalFunction, editor: Editor): Node[] {
  const { graph } = call;
  const { body } = local;
  for (const name of local.attributes) {
    if (call.attributes.has(name)) continue;
    throw new Diagnostic('model/attribute-missing', `node '${call.name}' lacks attribute '${name}', which function '${local.name}' needs`, { node: call.reference, suggestion: 'Add the attribute to the call.' });
  }
  const values = new Map<Value, Value | undefined>(body.inputs.map((input, index) => [input, call.inputs[index]]));
  const label = (thing: Node | Value): string => nested(call.name, thing.name || (thing instanceof Node ? thing.op : 'value'));
  const cloner = new Cloner({
    values,
    label: (thing) => editor.label(thing instanceof Node ? 'node' : 'value', label(thing)),
    origin: (_, name) => [name, ...call.origin.slice(-1)],
    attribute: (attribute) => (attribute.kind === 'reference' ? resolve(attribute.name, call, local) : attribute),
  });
  for (const value of body.constants) {
    const constant = editor.constant(graph, value.tensor!, label(value), value.form);
    keepExtras(constant, value);
    values.set(value, constant);
  }
  const made: Node[] = [];
  for (const node of body.nodes()) {
    const attributes = cloner.attributes(node);
    cloner.finish();
    const [constant] = node.is('Constant') ? [...attributes].flatMap(([name, attribute]) => constantTensor(name, attribute) ?? []) : [];
    if (constant !== undefined) {
      if (node.outputs[0] !== undefined) values.set(node.outputs[0], editor.constant(graph, constant, label(node.outputs[0])));
      continue;
    }
    const { op, domain, overload, extras } = node;
    const inputs = node.inputs.map((value) => value && values.get(value));
    const outputs = node.outputs.map((value) => value?.type);
    const copy = editor.insert({ op, domain, overload, extras, inputs, attributes, outputs, name: label(node), from: [call] }, { before: call });
    const self = copy as Mutable<Node>;
    self.origin = [copy.name, ...call.origin.slice(-1)];
    self.deviceConfigurations = node.deviceConfigurations;
    made.push(copy);
    [...copy.outputs].forEach((value, index) => {
      const original = node.outputs[index];
      if (original === undefined) {
        editor.dropOutput(value!);
        return;
      }
      values.set(original, value);
      editor.rename(value!, label(original));
      keepExtras(value!, original);
    });
  }
  replaceOutputs(call, local, values, new Set(made), editor);
  return made;
}

/** Hands the readers of the call's outputs over to what the body made, and removes the call. */
function replaceOutputs(call: Node, local: LocalFunction, values: ReadonlyMap<Value, Value | undefined>, made: ReadonlySet<Node>, editor: Editor): void {
  const heirs = new Map<Value, Value>();
  call.outputs.forEach((value, index) => {
    const source = local.body.outputs[index]?.value;
    const heir = source && values.get(source);
    if (value === undefined) return;
    if (heir !== undefined) {
      editor.replaceUses(value, heir);
      if (heir.producer !== undefined && made.has(heir.producer) && !heirs.has(heir)) heirs.set(heir, value);
    } else if (value.uses.length > 0) {
      throw new Diagnostic('model/outputs', `output ${index} of node '${call.name}' is read, but function '${local.name}' does not make it`, {
        node: call.reference, suggestion: 'Call the function with the input that the output stands for, or correct the function.',
      });
    }
  });
  editor.remove(call);
  for (const [heir, value] of heirs) {
    editor.rename(heir, value.name);
    if (value.type !== undefined) editor.setType(heir, value.type);
    keepExtras(heir, value);
  }
}

function resolve(name: string, call: Node, local: LocalFunction): Attribute | undefined {
  return call.attributes.get(name) ?? local.defaults.get(name);
}

function keepExtras(value: Value, from: { readonly extras: Extras | undefined; readonly quantization: Value['quantization'] }): void {
  const self = value as Mutable<Value>;
  self.extras = from.extras ?? value.extras;
  self.quantization = from.quantization ?? value.quantization;
}

/** `call/node`; the middle is cut out of paths that deep nesting made long. */
function nested(outer: string, inner: string): string {
  const path = `${outer}/${inner}`;
  return path.length <= 240 ? path : `${path.slice(0, 80)}…${path.slice(-159)}`;
}
