import { dtypeOf } from '../../ir/dtype.ts';
import type { Graph, Model, Node, Value } from '../../ir/model.ts';
import { shapeOf, tensorType, type Dim, type TensorType, type Type } from '../../ir/type.ts';
import { exchange } from './predict.ts';
import { Skeleton, type SkeletonContext } from './skeleton.ts';

/** Rounds in which the shapes that a loop carries are weakened until they hold. */
const maxRounds = 3;

/** What inference needs from the runtime. */
export interface InferContext {
  readonly describe: SkeletonContext['describe'];
  readonly unknown: SkeletonContext['unknown'];
  readonly declined: SkeletonContext['declined'];
}

/**
 * Types of all values of the main graph and of the bodies in it. Bodies are graphs of their own, with the types of what they capture; the local functions of
 * the model are not entered. See `Runtime.infer`.
 */
export async function inferTypes(model: Model, context: InferContext): Promise<Map<Value, Type>> {
  const inference = new Inference(model, context);
  await inference.graph(model.graph);
  return inference.finish(model.graph);
}

class Inference {
  private readonly inferred = new Map<Value, Type>();
  private readonly context: SkeletonContext;

  constructor(model: Model, { describe, unknown, declined }: InferContext) {
    this.context = {
      describe, unknown, declined, typeOf: (value) => this.inferred.get(value) ?? value.type,
      fixedDefaults: model.irVersion < 4, swap: exchange(model),
    };
  }

  async graph(graph: Graph): Promise<void> {
    for (const [value, type] of await new Skeleton(graph, this.context).infer()) this.inferred.set(value, type);
    for (const node of graph.nodes()) {
      this.containers(node);
      for (const body of node.subgraphs) await this.body(node, body);
    }
  }

  /** What was inferred, refined or filled in by what the model says. */
  finish(graph: Graph): Map<Value, Type> {
    const values: Value[] = [];
    const collect = (each: Graph): void => {
      values.push(...each.values());
      for (const node of each.nodes()) node.subgraphs.forEach(collect);
    };
    collect(graph);
    // A pass or an exporter may have left types behind that are no longer true. One that is proved wrong discredits all others.
    const credible = !values.some((value) => contradicts(this.inferred.get(value), value.type));
    const result = new Map<Value, Type>();
    for (const value of values) {
      const found = value.constant === undefined ? this.inferred.get(value) : tensorType(value.constant.dtype, value.constant.shape);
      const type = found === undefined ? value.type : credible ? refined(found, value.type) : found;
      if (type !== undefined) result.set(value, type);
    }
    return result;
  }

  /** Types of sequences and optionals, which a session does not tell. */
  private containers(node: Node): void {
    const typeOf = (index: number): Type | undefined => {
      const value = node.inputs[index];
      return value && this.context.typeOf(value);
    };
    const [output] = node.outputs;
    if (node.domain !== '' || output === undefined || this.inferred.has(output)) return;
    const type = containerType(node, typeOf);
    if (type !== undefined) this.inferred.set(output, type);
  }

  private async body(node: Node, body: Graph): Promise<void> {
    const given = bodyInputs(node, (value) => value && this.context.typeOf(value));
    for (let round = 0; ; round++) {
      body.inputs.forEach((value, index) => {
        const type = given[index] ?? value.type;
        if (type !== undefined) this.inferred.set(value, type);
      });
      await this.graph(body);
      // What a loop carries has the shape that it starts with only if one round of the body preserves it.
      const unstable = carried(node, body).filter(([input, output]) => {
        const [before, after] = [given[input], this.context.typeOf(body.outputs[output]!.value)];
        if (before?.kind !== 'tensor' || before.shape === undefined) return false;
        const shape = common(before.shape, shapeOf(after));
        const changes = shape?.length !== before.shape.length || shape.some((dim, axis) => dim !== before.shape![axis]);
        if (changes) given[input] = { kind: 'tensor', dtype: before.dtype, shape: round < maxRounds ? shape : undefined };
        return changes;
      });
      if (unstable.length === 0) return;
      for (const value of valuesWithin(body)) this.inferred.delete(value);
    }
  }
}

/** The types that a node gives to the inputs of its body; undefined where the body's own declaration must do. */
function bodyInputs(node: Node, typeOf: (value: Value | undefined) => Type | undefined): (Type | undefined)[] {
  if (node.domain !== '') return [];
  switch (node.op) {
    case 'Loop':
      return [tensorType('int64', []), tensorType('bool', []), ...node.inputs.slice(2).map(typeOf)];
    case 'Scan': {
      // Version 8 has a batch axis and a first input for lengths.
      if ((node.graph.opset() ?? 9) < 9) return [];
      const scanned = node.int('num_scan_inputs', 0);
      const states = node.inputs.length - scanned;
      const axes = node.ints('scan_input_axes', []);
      return node.inputs.map((value, index) => {
        const type = typeOf(value);
        if (index < states || type?.kind !== 'tensor' || type.shape === undefined) return type;
        const axis = axes[index - states] ?? 0;
        const at = axis < 0 ? axis + type.shape.length : axis;
        return { ...type, shape: type.shape.filter((_, each) => each !== at) };
      });
    }
    case 'SequenceMap':
      return node.inputs.map((value) => {
        const type = typeOf(value);
        return type?.kind === 'sequence' ? type.element : type;
      });
    default:
      return [];
  }
}

/** Pairs of body input and body output through which a value goes from one iteration to the next. */
function carried(node: Node, body: Graph): (readonly [input: number, output: number])[] {
  if (node.is('Loop')) return body.inputs.slice(2).map((_, index) => [index + 2, index + 1] as const).filter(([, output]) => output < body.outputs.length);
  if (!node.is('Scan')) return [];
  const states = body.inputs.length - node.int('num_scan_inputs', 0);
  return Array.from({ length: Math.max(0, Math.min(states, body.outputs.length)) }, (_, index) => [index, index] as const);
}

function containerType(node: Node, typeOf: (index: number) => Type | undefined): Type | undefined {
  switch (node.op) {
    case 'SequenceConstruct': {
      const first = typeOf(0);
      return first?.kind === 'tensor' ? { kind: 'sequence', element: loose(first) } : undefined;
    }
    case 'SequenceEmpty':
      return { kind: 'sequence', element: { kind: 'tensor', dtype: dtypeOf(node.int('dtype', 1)), shape: undefined } };
    case 'SplitToSequence': {
      const type = typeOf(0);
      return type?.kind === 'tensor' ? { kind: 'sequence', element: loose(type) } : undefined;
    }
    case 'SequenceInsert':
    case 'SequenceErase':
    case 'Identity':
      return typeOf(0);
    case 'Optional':
      return { kind: 'optional', element: typeOf(0) };
    default:
      return undefined;
  }
}

/** Only the element type: the tensors of a sequence may have different shapes. */
function loose({ dtype }: TensorType): TensorType {
  return { kind: 'tensor', dtype, shape: undefined };
}

function* valuesWithin(graph: Graph): Iterable<Value> {
  yield* graph.values();
  for (const node of graph.nodes()) for (const body of node.subgraphs) yield* valuesWithin(body);
}

/** What two shapes have in common: undefined if not even the rank. */
function common(a: readonly Dim[], b: readonly Dim[] | undefined): Dim[] | undefined {
  return a.length === b?.length ? a.map((dim, axis) => (dim === b[axis] ? dim : undefined)) : undefined;
}

/** True if what is stated cannot be true of a value of which this was inferred. */
function contradicts(found: Type | undefined, stated: Type | undefined): boolean {
  if (found?.kind !== 'tensor' || stated?.kind !== 'tensor') return false;
  if (stated.dtype !== undefined && found.dtype !== stated.dtype) return true;
  const { shape } = found;
  if (shape === undefined || stated.shape === undefined) return false;
  return shape.length !== stated.shape.length || stated.shape.some((dim, axis) => typeof dim === 'number' && shape[axis] !== undefined && shape[axis] !== dim);
}

/**
 * What was inferred, with unknown axes (or an unknown rank) taken from what is stated. Only numbers are taken: a symbol that an exporter wrote on a result
 * is often one label for several lengths, whereas here equal symbols are equal lengths.
 */
function refined(found: Type, stated: Type | undefined): Type {
  if (found.kind !== 'tensor' || stated?.kind !== 'tensor' || stated.shape === undefined) return found;
  const numbers = stated.shape.map((dim) => (typeof dim === 'number' ? dim : undefined));
  return { ...found, shape: found.shape?.map((dim, axis) => dim ?? numbers[axis]) ?? numbers };
}
