import type { Attribute, AttributeLike } from '../../../ir/attribute.ts';
import type { DType } from '../../../ir/dtype.ts';
import { detachedGraph, Editor } from '../../../ir/edit.ts';
import { Graph, Model, type Node, type Value } from '../../../ir/model.ts';
import type { Tensor } from '../../../ir/tensor.ts';
import { tensorType, type Dim, type Type } from '../../../ir/type.ts';

/** A model under construction: what the tests of the runtime are made with. */
export class Build {
  readonly model: Model;
  readonly edit: Editor;

  constructor(opsets: Readonly<Record<string, number>> = { '': 21 }, irVersion = 10) {
    this.model = new Model(new Graph('main'), { irVersion, opsets: new Map(Object.entries(opsets)) });
    this.edit = new Editor(this.model);
  }

  get graph(): Graph {
    return this.model.graph;
  }

  input(name: string, dtype: DType, shape?: readonly Dim[], graph: Graph = this.graph): Value {
    return this.edit.addInput(graph, name, tensorType(dtype, shape));
  }

  untyped(name: string, type?: Type, graph: Graph = this.graph): Value {
    return this.edit.addInput(graph, name, type);
  }

  constant(tensor: Tensor, name = 'constant', graph: Graph = this.graph): Value {
    return this.edit.constant(graph, tensor, name);
  }

  /** Adds a node, named like its operator unless told otherwise, and returns it. */
  node(op: string, inputs: readonly (Value | undefined)[], attributes: Readonly<Record<string, AttributeLike>> = {}, more: {
    readonly domain?: string; readonly name?: string; readonly outputs?: readonly (Type | undefined)[]; readonly graph?: Graph;
  } = {}): Node {
    const { graph = this.graph, ...rest } = more;
    return this.edit.insert({ op, inputs, attributes, ...rest }, graph);
  }

  /** The same for a node with one output, which it returns. */
  value(...parts: Parameters<Build['node']>): Value {
    return this.node(...parts).outputs[0]!;
  }

  output(value: Value, name: string, graph: Graph = this.graph): Value {
    this.edit.setOutput(graph, graph.outputs.length, value, name);
    return value;
  }

  body(name: string, fill: (graph: Graph) => void): Attribute {
    const graph = detachedGraph(name);
    fill(graph);
    return { kind: 'graph', value: graph };
  }
}
