import type { AttributeLike } from '../../ir/attribute.ts';
import type { DType } from '../../ir/dtype.ts';
import { Editor } from '../../ir/edit.ts';
import type { Model, Node, Value } from '../../ir/model.ts';
import { Tensor } from '../../ir/tensor.ts';
import { dtypeOfType, tensorType } from '../../ir/type.ts';
import { removeDead } from '../dead.ts';

/** A reduction. */
export type Reduction = keyof typeof reductions;

/** Operators of reduction and the opset from which their axes are an input. */
const reductions = { ReduceMin: 18, ReduceMax: 18, ReduceSumSquare: 18, ReduceSum: 13 } as const;

/** Appends observers to a copy of a model, in the form that its operator set has. */
export class ObserverGraph {
  readonly model: Model;
  readonly opset: number;
  private readonly edit: Editor;
  private readonly constants = new Map<string, Value>();
  private readonly rows = new Map<Value, Value>();
  private readonly floats = new Map<Value, Value>();
  private readonly narrow = new Map<string, Value>();
  /** Places of the model's own nodes. */
  private readonly places: ReadonlyMap<Node, number>;
  private readonly reduced: Value[] = [];

  /** Takes over the model, whose outputs make way. */
  constructor(model: Model) {
    this.model = model;
    this.opset = model.opset() ?? 1;
    this.edit = new Editor(model);
    this.places = new Map(Array.from(model.graph.nodes(), (node, index) => [node, index]));
    const { graph } = model;
    while (graph.outputs.length > 0) this.edit.setOutput(graph, graph.outputs.length - 1, undefined);
  }

  node(op: string, inputs: readonly Value[], attributes: Readonly<Record<string, AttributeLike>> = {}, dtype: DType = 'float'): Value {
    return this.edit.insert({ op, inputs, attributes, name: 'observer', outputs: [tensorType(dtype)] }, this.model.graph).output;
  }

  /** A list of numbers for Reshape, Slice and the like. */
  ints(values: readonly number[]): Value {
    const key = values.join(',');
    const known = this.constants.get(key) ?? this.edit.constant(this.model.graph, Tensor.of('int64', [...values]), 'observed');
    this.constants.set(key, known);
    return known;
  }

  /** The value as float32. */
  float(value: Value): Value {
    if (dtypeOfType(value.type) === 'float') return value;
    const known = this.floats.get(value) ?? this.node('Cast', [value], { to: 1 });
    this.floats.set(value, known);
    return known;
  }

  /** Number of elements, as int64. */
  size(value: Value): Value {
    const result = this.node('Size', [value], {}, 'int64');
    this.reduced.push(result);
    return result;
  }

  reshape(value: Value, shape: readonly number[]): Value {
    return this.node('Reshape', [value, this.ints(shape)]);
  }

  /** One row for each sample: [samples, elements]; a single sample is the whole value. */
  samples(value: Value, perSample: boolean): Value {
    const known = this.rows.get(value) ?? this.reshape(this.float(value), perSample ? [0, -1] : [1, -1]);
    this.rows.set(value, known);
    return known;
  }

  /** Remembers what a value was reduced to along with its rows: [samples, fewer]. */
  setReduced(op: Reduction, value: Value, reduced: Value): void {
    this.narrow.set(`${op} ${value.name}`, reduced);
  }

  /** The reduction of each row: [samples, 1]. */
  reduceRows(op: Reduction, value: Value, perSample: boolean): Value {
    return this.reduce(op, this.narrow.get(`${op} ${value.name}`) ?? this.samples(value, perSample), [1], true);
  }

  reduce(op: Reduction, value: Value, axes: readonly number[], keep: boolean): Value {
    const keepdims = keep ? 1 : 0;
    const result = this.opset >= reductions[op] ? this.node(op, [value, this.ints(axes)], { keepdims }) : this.node(op, [value], { axes: [...axes], keepdims });
    this.reduced.push(result);
    return result;
  }

  /**
   * Has ONNX Runtime reduce each value soon after it is made; to be called when all is appended. It orders nodes by depth first search from the last ones, inputs
   * of large index first: reductions that meet in one Concat would begin with the last value, and all others would be kept until then. A chain of additions at
   * the very end, over something small of every reduction in the order of the model, is walked before that.
   */
  settle(): void {
    if (this.opset < 7 || this.reduced.length < 2) return;
    const ordered = this.reduced.map((value) => [this.placeOf(value), value] as const).sort(([a], [b]) => a - b);
    const sizes = ordered.map(([, value]) => this.node('Size', [value], {}, 'int64'));
    this.output(sizes.reduce((sum, size) => this.node('Add', [sum, size], {}, 'int64')));
  }

  /** Removes what no observer reads, to be called when all is appended: ONNX Runtime would compute it all the same. */
  prune(): void {
    removeDead(this.edit, this.model.graph.nodes());
  }

  /** Place of the model's node from which a reduction starts; inputs come first. */
  private placeOf(value: Value): number {
    let node = value.producer;
    while (node !== undefined && !this.places.has(node)) node = node.inputs[0]?.producer;
    return node === undefined ? -1 : this.places.get(node)!;
  }

  concat(values: readonly Value[], axis: number): Value {
    return values.length === 1 ? values[0]! : this.node('Concat', values, { axis });
  }

  transpose(value: Value, perm: readonly number[]): Value {
    return this.node('Transpose', [value], { perm: [...perm] });
  }

  /** Zeros around the axes from the third one on, in ONNX's order: all beginnings, then all ends. */
  pad(value: Value, pads: readonly number[]): Value {
    const half = pads.length / 2;
    const all = [0, 0, ...pads.slice(0, half), 0, 0, ...pads.slice(half)];
    return this.opset >= 11 ? this.node('Pad', [value, this.ints(all)]) : this.node('Pad', [value], { pads: all });
  }

  /** Places along an axis, one after the other. */
  gather(value: Value, places: readonly number[], axis: number): Value {
    return this.node('Gather', [value, this.ints(places)], { axis });
  }

  /** Makes the value an output and returns its name. */
  output(value: Value): string {
    const { graph } = this.model;
    const found = graph.outputs.find((slot) => slot.value === value);
    if (found !== undefined) return found.name;
    const name = this.edit.label('value', 'observed');
    this.edit.setOutput(graph, graph.outputs.length, value, name);
    return name;
  }
}
