import type { Editor } from '../../ir/edit.ts';
import type { Graph, Value } from '../../ir/model.ts';
import { Tensor } from '../../ir/tensor.ts';
import { shapeOf, tensorType } from '../../ir/type.ts';
import type { PlacedPair } from '../placement/placement.ts';
import type { Grid } from '../statistics/grid.ts';
import type { QuantizedFormat } from '../target.ts';
import { codeOf } from './codes.ts';

/** Scale and zero point of one class, as constants that all its pairs share. */
interface Parameters {
  readonly scale: Value;
  readonly zeroPoint: Value;
}

/** Writes the pairs of activations: one QuantizeLinear and one DequantizeLinear for each tensor, read by the consumers that the placement names. */
export class PairWriter {
  private readonly edit: Editor;
  private readonly format: QuantizedFormat;
  /** Store quantized constants instead of float ones before a pair. */
  private readonly codes: boolean;
  private readonly parameters: Map<number, Parameters> = new Map();

  constructor(edit: Editor, format: QuantizedFormat, codes: boolean) {
    this.edit = edit;
    this.format = format;
    this.codes = codes;
  }

  /** Inserts a pair behind its value. */
  write({ value, consumers, scaleClass }: PlacedPair, grid: Grid): void {
    const { edit } = this;
    const { graph, producer, name } = value;
    const from = producer ?? consumers[0]!.node;
    const inputs = this.constants(scaleClass, graph, name, grid);
    const place = producer === undefined ? { before: graph.first! } : { after: producer };
    const quantized = this.codes && value.constant !== undefined
      ? edit.constant(graph, this.quantizedConstant(value.constant, grid), `${name}_quantized`)
      : edit.insert({ op: 'QuantizeLinear', inputs: [value, inputs.scale, inputs.zeroPoint], name: `${name}_QuantizeLinear`, from: [from], outputs: [tensorType(this.format.type, shapeOf(value.type))] }, place).output;
    const behind = quantized.producer === undefined ? place : { after: quantized.producer };
    const dequantize = edit.insert({ op: 'DequantizeLinear', inputs: [quantized, inputs.scale, inputs.zeroPoint], name: `${name}_DequantizeLinear`, from: [from], outputs: [value.type] }, behind);
    for (const { node, input } of consumers) {
      if (node.inputs[input] !== value) throw new Error(`input ${input} of node '${node.name}' is not '${name}', as the placement has it`);
      edit.setInput(node, input, dequantize.output);
    }
    if (value.constant !== undefined && value.uses.length === 0) edit.remove(value);
  }

  private constants(scaleClass: number, graph: Graph, name: string, { scale, zeroPoint }: Grid): Parameters {
    const known = this.parameters.get(scaleClass);
    if (known?.scale.graph === graph) return known;
    const made = {
      scale: this.edit.constant(graph, Tensor.scalar('float', scale), `${name}_scale`),
      zeroPoint: this.edit.constant(graph, Tensor.scalar(this.format.type, zeroPoint), `${name}_zero_point`),
    };
    this.parameters.set(scaleClass, made);
    return made;
  }

  private quantizedConstant(tensor: Tensor, grid: Grid): Tensor {
    return Tensor.of(this.format.type, Array.from(tensor.floats(), (x) => codeOf(x, grid)), tensor.shape);
  }
}
