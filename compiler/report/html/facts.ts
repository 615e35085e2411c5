import type { ClassRecord, LayerRecord, PlacementRecord, TensorRecord } from '../../../passes/quantize/record.ts';
import type { RemarkRecord } from '../../instruments/instrument.ts';
import type { Report } from '../report.ts';
import { measuredSensitivity } from './records.ts';

/** A remark, and the step that made it. */
export interface StepRemark extends RemarkRecord {
  readonly step: string;
}

/** A tensor that a layer reads in int8. */
export interface LayerInput extends TensorRecord {
  /** Absent where the record lacks it. */
  readonly scaleClass?: ClassRecord;
}

/** All that is known of one layer. */
export interface LayerFacts {
  readonly name: string;
  readonly op: string;
  readonly origin: readonly string[];
  /** What was decided; absent in reports without quantization. */
  readonly placed?: LayerRecord;
  readonly inputs: readonly LayerInput[];
  /** Of all steps, without the one that repeats the decision. */
  readonly remarks: readonly StepRemark[];
  /** Multiply-adds over those of the model, 0 to 1. */
  readonly share?: number;
  /** 1 for the layer with the most noise. */
  readonly rank?: number;
  /** Signal over noise of the model's outputs with this layer alone in int8, in dB, as measured. */
  readonly measured?: number;
}

/** The layers in graph order: those that could have been quantized, or, if nothing was quantized, those that steps remarked on. */
export function layerFacts(report: Report, placement: PlacementRecord | undefined): LayerFacts[] {
  const remarks = report.steps.flatMap(({ id, remarks }) => remarks.map((remark): StepRemark => ({ ...remark, step: id })));
  const about = indexed(remarks);
  if (placement === undefined) return remarked(report, remarks, about);
  const { layers, tensors, classes } = placement;
  const read = new Map<string, LayerInput[]>();
  for (const tensor of tensors) {
    const scaleClass = classes[tensor.class];
    for (const consumer of new Set(tensor.consumers)) append(read, consumer, { ...tensor, ...(scaleClass && { scaleClass }) });
  }
  const sensitivity = measuredSensitivity(report);
  const total = Math.max(report.model.after.macs, layers.reduce((sum, { macs }) => sum + (macs ?? 0), 0));
  const ranks = new Map(layers.filter(({ sqnr }) => typeof sqnr === 'number').sort((a, b) => a.sqnr! - b.sqnr!).map((layer, index) => [layer, index + 1]));
  return layers.map((placed) => {
    const { node: name, op, origin, rule, reason, macs } = placed;
    const inputs = read.get(name) ?? [];
    const said = about([name, ...origin], inputs.map(({ tensor }) => tensor)).filter((remark) => !(remark.message === reason && remark.rule.endsWith(`/${rule}`)));
    const [rank, measured] = [ranks.get(placed), sensitivity.get(name)];
    return {
      name, op, origin, placed, inputs, remarks: said,
      ...(macs !== null && total > 0 && { share: macs / total }), ...(rank !== undefined && { rank }), ...(measured !== undefined && { measured }),
    };
  });
}

/** The nodes of remarks, in the order of the model as it was read. */
function remarked({ nodes }: Report, remarks: readonly StepRemark[], about: ReturnType<typeof indexed>): LayerFacts[] {
  const order = new Map(Object.keys(nodes).map((name, place) => [name, place]));
  const placeOf = ({ name, origin }: LayerFacts): number => Math.min(...[name, ...origin].map((each) => order.get(each) ?? Infinity));
  const named = new Map(remarks.flatMap(({ node }) => (node === undefined ? [] : [[node.name, node] as const])));
  const facts = [...named.values()].map(({ name, op, origin }): LayerFacts => ({ name, op, origin, inputs: [], remarks: about([name], []) }));
  const places = new Map(facts.map((layer) => [layer, placeOf(layer)]));
  return facts.sort((a, b) => (places.get(a) === places.get(b) ? 0 : places.get(a)! - places.get(b)!));
}

/** Looks up remarks by any name of a node, now or in the model as it was read, and by tensors; in the order in which they were made. */
function indexed(remarks: readonly StepRemark[]): (names: readonly string[], tensors: readonly string[]) => StepRemark[] {
  const byNode = new Map<string, number[]>();
  const byTensor = new Map<string, number[]>();
  remarks.forEach(({ node, tensor }, index) => {
    for (const name of node === undefined ? [] : new Set([node.name, ...node.origin])) append(byNode, name, index);
    if (node === undefined && tensor !== undefined) append(byTensor, tensor, index);
  });
  return (names, tensors) => {
    const found = new Set([...names.flatMap((name) => byNode.get(name) ?? []), ...tensors.flatMap((name) => byTensor.get(name) ?? [])]);
    return [...found].sort((a, b) => a - b).map((index) => remarks[index]!);
  };
}

function append<T>(lists: Map<string, T[]>, key: string, item: T): void {
  const list = lists.get(key);
  if (list === undefined) lists.set(key, [item]);
  else list.push(item);
}
