import type { Report, StepReport } from '../../../compiler/report/report.ts';
import type { ClassRecord, LayerRecord, PlacementRecord, TensorRecord } from '../../../passes/quantize/record.ts';

const figures = { nodes: 3, operators: { Conv: 3 }, macs: 1000, uncounted: 0, parameters: 10, bytes: 40 };

/** A step with nothing in it. */
export function step(fields: Partial<StepReport> = {}): StepReport {
  return { id: 'fold', number: 1, pass: 'fold', version: 1, options: {}, changes: 0, stats: {}, remarks: [], outputs: [], figures: { before: figures, after: figures }, ...fields };
}

/** A report of steps. */
export function report(steps: readonly StepReport[] = [step()], fields: Partial<Report> = {}): Report {
  return {
    schema: 1, version: '1.2.3', recipe: { file: 'r.yaml', sha256: 'ab'.repeat(32) }, target: 'portable',
    inputs: { 'in.onnx': { bytes: 1000, sha256: 'cd'.repeat(32) } }, outputs: { 'out.onnx': { bytes: 500, sha256: 'ef'.repeat(32) } },
    steps, nodes: {}, model: { before: figures, after: figures }, diagnostics: [], ...fields,
  };
}

/** A class with a distribution of 96 bars. */
export const scaleClass: ClassRecord = {
  scale: 0.25, zeroPoint: 0, range: [-31.75, 31.75], holds: [-32, 31.75], method: 'auto', seen: [-12, 36], clipped: 0.001,
  histogram: { from: -12, width: 0.5, zeros: 12345, counts: Array.from({ length: 96 }, (_, bucket) => Math.floor(1e5 * Math.exp(-(((bucket - 40) / 16) ** 2)) + (bucket * 37) % 11)) },
};

/** A layer in int8. */
export function layer(node: string, fields: Partial<LayerRecord> = {}): LayerRecord {
  return {
    node, op: 'Conv', origin: [node], int8: true, rule: 'PLC-01', reason: 'a convolution whose channels fill an int8 kernel', macs: 100, sqnr: 35.5, biasCorrection: 0.01,
    weights: { axis: 0, channels: 16, scale: [0.001, 0.01], rounding: 'nearest', sqnr: 42 }, ...fields,
  };
}

/** A placement in which each layer in int8 reads a tensor, and a class, of its own. */
export function placement(layers: readonly LayerRecord[]): PlacementRecord {
  const readers = layers.filter(({ int8 }) => int8);
  const { scale, zeroPoint, range, method } = scaleClass;
  const tensors = readers.map(({ node }, index): TensorRecord => ({ tensor: `${node}_input`, class: index, rules: ['PLC-01'], consumers: [node], scale, zeroPoint, range, method, sqnr: 38 }));
  return { layers, tensors, classes: readers.map(() => scaleClass), macs: { int8: 100 * readers.length, eligible: 100 * layers.length, share: readers.length / layers.length } };
}

/** A report of a quantization. */
export function quantized(layers: readonly LayerRecord[], fields: Partial<StepReport> = {}): Report {
  return report([step(), step({ id: 'quantize-int8', number: 2, pass: 'quantize-int8', records: { placement: placement(layers) }, ...fields })]);
}

/** Models side by side. */
export const evaluation: NonNullable<Report['evaluation']> = {
  data: 'validation', random: false, samples: 557, optimization: 'disabled',
  models: [
    { name: 'original', bytes: 1000, deployedBytes: 1000, scores: [{ name: 'top1', unit: 'percent', higherIsBetter: true, value: 92.8 }], outputs: [] },
    {
      name: 'compiled', bytes: 900, deployedBytes: 250, outputs: [{ output: 'logits', sqnr: Infinity }],
      scores: [
        { name: 'top1', unit: 'percent', higherIsBetter: true, value: 93, change: { difference: 0.2, low: -0.4, high: 0.8 } },
        { name: 'agreement', unit: 'percent', higherIsBetter: true, value: 99.8 },
      ],
    },
  ],
};
