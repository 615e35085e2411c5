import fc from 'fast-check';
import type { Attribute } from '../../ir/attribute.ts';
import { detachedGraph, Editor } from '../../ir/edit.ts';
import { Graph, LocalFunction, Model, type Mutable, type Node, type Value } from '../../ir/model.ts';
import { Tensor } from '../../ir/tensor.ts';
import { tensorType, type Type } from '../../ir/type.ts';

/** The type of everything in the models made here, unless a test cares. */
export const floats: Type = tensorType('float', ['N', 4]);

/** A model without nodes, and an editor for it. Domain `test` holds operators of any signature. */
export function newModel({ irVersion = 8, opset = 17 }: { irVersion?: number; opset?: number } = {}): { readonly model: Model; readonly edit: Editor; readonly graph: Graph } {
  const graph = new Graph('main');
  const model = new Model(graph, { irVersion, opsets: new Map([['', opset], ['test', 1]]) });
  return { model, graph, edit: new Editor(model) };
}

/** Appends a node of one output (or `outputs`) of type `floats` to a graph. */
export function apply(edit: Editor, graph: Graph, op: string, inputs: readonly (Value | undefined)[], { name = op.toLowerCase(), outputs = 1, ...rest }: {
  name?: string; outputs?: number; domain?: string; overload?: string; attributes?: ReadonlyMap<string, Attribute> | Record<string, string | number | readonly number[] | Attribute>;
} = {}): Node {
  return edit.insert({ op, inputs, name, outputs: new Array<Type>(outputs).fill(floats), ...rest }, graph);
}

/** x → Relu → Add(w) → y, and an If on c whose branches capture x and the Relu's output → z: each structure once. */
export function smallModel(): { readonly model: Model; readonly edit: Editor; readonly graph: Graph; readonly node: (name: string) => Node; readonly value: (name: string) => Value } {
  const { model, edit, graph } = newModel();
  const x = edit.addInput(graph, 'x', floats);
  const c = edit.addInput(graph, 'c', tensorType('bool', []));
  const w = edit.constant(graph, Tensor.of('float', [1, 2, 3, 4]), 'w');
  const relu = apply(edit, graph, 'Relu', [x]);
  const add = apply(edit, graph, 'Add', [relu.output, w]);
  const yes = detachedGraph('yes');
  const neg = apply(edit, yes, 'Neg', [relu.output]);
  edit.setOutput(yes, 0, neg.output, 'yes_out');
  const no = detachedGraph('no');
  const half = edit.constant(no, Tensor.scalar('float', 0.5), 'half');
  const mul = apply(edit, no, 'Mul', [x, half]);
  edit.setOutput(no, 0, mul.output, 'no_out');
  const choose = apply(edit, graph, 'If', [c], { name: 'choose', attributes: { then_branch: { kind: 'graph', value: yes }, else_branch: { kind: 'graph', value: no } } });
  edit.setOutput(graph, 0, add.output, 'y');
  edit.setOutput(graph, 1, choose.output, 'z');
  const nodes = new Map([...graph.walk()].map((node) => [node.name, node]));
  const values = new Map([...graph.values(), ...yes.values(), ...no.values()].map((value) => [value.name, value]));
  return { model, edit, graph, node: (name) => nodes.get(name)!, value: (name) => values.get(name)! };
}

/** Makes a function of the model whose body `fill` writes; `inputs` are its formal inputs. */
export function addFunction(model: Model, name: string, inputs: readonly string[], fill: (edit: Editor, body: Graph, inputs: readonly Value[]) => readonly Value[], fields: {
  domain?: string; overload?: string; opsets?: ReadonlyMap<string, number>; attributes?: readonly string[]; defaults?: ReadonlyMap<string, Attribute>;
} = {}): LocalFunction {
  const { domain = 'local', overload = '', opsets = model.opsets, ...rest } = fields;
  const body = detachedGraph(name);
  const { edit } = newModel(); // its labels need not be unique beside those of the model
  const formal = inputs.map((input) => edit.addInput(body, input, undefined));
  fill(edit, body, formal).forEach((value, index) => { edit.setOutput(body, index, value, `out${index}`); });
  const local = new LocalFunction(name, domain, overload, body, { opsets, ...rest });
  (model.functions as Map<string, LocalFunction>).set(local.key, local);
  (model as Mutable<Model>).opsets = new Map([...model.opsets, [domain, 1]]);
  return local;
}

/** One step in the making of a random model: what it does follows from the numbers and from what is there. */
export interface Step {
  readonly verb: number;
  readonly a: number;
  readonly b: number;
  readonly c: number;
}

/** Numbers that say how a random model is made, or edited. */
export const steps = (maxLength: number): fc.Arbitrary<Step[]> => fc.array(
  fc.record({ verb: fc.nat(999), a: fc.nat(999), b: fc.nat(999), c: fc.nat(999) }), { minLength: 1, maxLength },
);

/** A sound model with captures, bodies in bodies, shared constants and several outputs, made from numbers. */
export function randomModel(plan: readonly Step[]): { readonly model: Model; readonly edit: Editor } {
  const { model, edit, graph } = newModel();
  const condition = edit.addInput(graph, 'c', tensorType('bool', []));
  const x = edit.addInput(graph, 'x', floats);
  const fill = (into: Graph, visible: readonly Value[], part: readonly Step[], depth: number): Value => {
    const values = [...visible];
    const pick = (at: number): Value => values[at % values.length]!;
    part.forEach(({ verb, a, b, c }, at) => {
      if (verb % 5 === 0) {
        values.push(edit.constant(into, Tensor.of('float', [a, b, c, 0]), 'k'));
      } else if (verb % 5 === 1 && depth < 3) {
        const [yes, no] = [detachedGraph('yes'), detachedGraph('no')];
        edit.setOutput(yes, 0, fill(yes, values, part.slice(at + 1, at + 1 + (a % 4)), depth + 1), 'r');
        edit.setOutput(no, 0, fill(no, values, part.slice(at + 1, at + 1 + (b % 4)), depth + 1), 'r');
        values.push(apply(edit, into, 'If', [condition], { attributes: { then_branch: { kind: 'graph', value: yes }, else_branch: { kind: 'graph', value: no } } }).output);
      } else {
        const node = apply(edit, into, 'Mix', [pick(a), b % 3 === 0 ? undefined : pick(b), pick(c)], { domain: 'test', outputs: 1 + (verb % 2), attributes: { level: a % 7, ratio: b + 0.5 } });
        values.push(...node.outputs.filter((value) => value !== undefined));
      }
    });
    // A body hands out something of its own, so that a file of it would be legal everywhere.
    return apply(edit, into, 'Mix', [pick(part.length * 7), values.at(-1)], { domain: 'test' }).output;
  };
  edit.setOutput(graph, 0, fill(graph, [x], plan, 0), 'y');
  const last = graph.last!.output;
  if (plan.length % 2 === 0) edit.setOutput(graph, 1, last, 'again');
  return { model, edit };
}
