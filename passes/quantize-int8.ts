import { Diagnostic } from '../ir/diagnostic.ts';
import { isFloat } from '../ir/dtype.ts';
import type { Model, Node } from '../ir/model.ts';
import { dtypeOfType, shapeOf } from '../ir/type.ts';
import { checkRaise, raiseOpset } from './opset/raise.ts';
import type { OptionsOf } from './options.ts';
import { definePass, type PassContext, type PassDeclaration, type WantsContext } from './pass.ts';
import { placementOf, type Placement } from './placement/placement.ts';
import { roleOf } from './placement/roles.ts';
import { inputChannelAxis } from './quantize/channels.ts';
import { emit } from './quantize/emit.ts';
import { explain, type FloatReason } from './quantize/explain.ts';
import { chooseFloat } from './quantize/float-layers.ts';
import { checkFusion } from './quantize/fusion.ts';
import type { LayerResult } from './quantize/layers.ts';
import { readOverrides, requireUsed, type Override } from './quantize/overrides.ts';
import { classScale, unobserved, type RangeWish } from './quantize/ranges.ts';
import type { Kept, LayerNoise } from './quantize/trials.ts';
import type { StatisticsRequest } from './statistics/request.ts';

const options = {
  type: 'object',
  additionalProperties: false,
  properties: {
    rounding: {
      type: 'string', enum: ['nearest', 'gptq'], default: 'nearest',
      description: 'How weights become codes: each to the nearest one, or together, so that the outputs of the layer change least (GPTQ, then coordinate descent; wants second moments of what the layer reads).',
    },
    saturation: {
      type: 'string', enum: ['avoid', 'unsigned', 'ignore'], default: 'avoid',
      description: 'For targets with processors whose kernels add two products in 16 bits (ONNX Runtime on x86 without VNNI): `avoid` takes scales with which no sum saturates, which costs trained networks about 1 dB; `unsigned` stores weights as uint8, for kernels that are exact but slower; `ignore` uses all codes, for processors with VNNI and for ARM.',
    },
    biasCorrection: { type: 'boolean', default: true, description: 'Takes the mean error that rounded weights make out of the bias: b + (W − Ŵ) E[x].' },
    method: { type: 'string', enum: ['min-max', 'mean-min-max', 'percentile', 'entropy', 'mse', 'auto'], description: 'How ranges of activations are chosen; what `calibrate` says if absent.' },
    attention: { type: 'string', enum: ['auto', 'on', 'off'], default: 'auto', description: 'Whether products of attention are quantized: by the rules of the target, always, or never.' },
    concat: { type: 'string', enum: ['auto', 'always', 'never'], default: 'auto', description: 'Whether the inputs of a Concat share one scale: where it costs less than a conversion, always, or never.' },
    memoryBound: {
      type: 'string', enum: ['both', 'one', 'none'], default: 'both',
      description: 'Whether pools, resizes and standalone additions and products are quantized: where both sides are int8, where one is, or never.',
    },
    maxDrop: {
      type: 'number', minimum: 0, maximum: 100, unit: 'percent',
      description: 'How much the metric of `data` may fall behind the original; of `sqnr`, the noise in percent of the signal (0.1 is 30 dB). Where the data have neither metric nor labels, agreement with the original counts, and outputs must be scores of classes. If it falls further, the most sensitive layers stay float, as many as it takes.',
    },
    maxFloatLayers: { type: 'integer', minimum: 0, maximum: 1e6, description: 'How many layers may stay float for `maxDrop`; as many as it takes if absent.' },
    maxFloatMacs: {
      type: 'number', minimum: 0, maximum: 100, default: 5, unit: 'percent',
      description: 'How much of the multiply-adds may stay float where a few layers make most of the noise: if the outputs are noisy (below 30 dB on samples of the calibration data), the layers that remove most of it, 1 dB each and 2 dB in all at least. 0 quantizes everything. Without effect beside `maxDrop`, which decides by the metric.',
    },
    data: { type: 'string', format: 'reader', description: 'The samples on which `maxDrop` and `sensitivity` are measured: a name under `data` of the recipe; `validation` if absent. Judge the result on others.' },
    sensitivity: { type: 'integer', minimum: 0, maximum: 1e6, description: 'How many layers, those with the most noise predicted, are measured one by one: what the outputs lose with that layer alone in int8. For the report.' },
    overrides: {
      type: 'array', default: [],
      description: 'What holds for some layers; later entries win.',
      items: {
        type: 'object', additionalProperties: false,
        description: 'Layers, and what holds for them.',
        properties: {
          nodes: { type: 'array', minItems: 1, items: { type: 'string', description: 'A name or glob: `*` stays between slashes, `**` crosses them.' }, description: 'Names of the nodes, now or in the model as it was read.' },
          ops: { type: 'array', minItems: 1, items: { type: 'string', description: 'An operator.' }, description: 'Operators of the nodes; with `nodes` both must fit.' },
          precision: { type: 'string', enum: ['int8', 'float'], description: '`float` leaves them as they are; `int8` takes back what an earlier entry said.' },
          method: { type: 'string', enum: ['min-max', 'mean-min-max', 'percentile', 'entropy', 'mse', 'auto'], description: 'How the ranges of what they read are chosen.' },
          range: {
            type: 'object', additionalProperties: false, description: 'The range of what they read, instead of what was seen.',
            properties: { min: { type: 'number', description: 'Smallest number; 0 if only max is given.' }, max: { type: 'number', description: 'Largest number; 0 if only min is given.' } },
          },
        },
      },
    },
  },
} as const;

/** What the step says, with defaults. */
export type QuantizeOptions = OptionsOf<typeof options>;

/**
 * Static quantization to 8 bits. The placement says what is quantized, the statistics give the ranges, and the target the number format; here they are written into the
 * model, with corrected biases.
 */
export const quantizeInt8: PassDeclaration<typeof options> = definePass({
  name: 'quantize-int8',
  version: 2,
  summary: 'Quantizes weights and activations to 8 bits, with Q/DQ pairs where the target fuses them.',
  description: [
    'Needs the ranges that a `calibrate` step before it gathers. Which nodes run in int8 is decided by the facts of the target; every decision is a remark, and',
    '`onnxpress explain NODE --report FILE` shows those of one node. Number formats, the form of weights and biases, and the opset are those of the target: a model of an older',
    'opset is converted, node by node. What is quantized already stays as it is. For `onnxruntime-cpu` the graph that ONNX Runtime makes of the result is read back: see [quantization.md](../quantization.md).',
    '',
    'Entries of `overrides` name nodes by globs, or by operator: selectors of the recipe stand in `where`, for the whole step.',
  ].join('\n'),
  options,
  needs: ({ rounding }) => (rounding === 'gptq' ? ['ranges', 'moments'] : ['ranges']),
  wants: (model, context) => wanted(decided(model, context, new Map()).placement, context.options),
  async run(model, context) {
    quantize(model, context, await chooseFloat(model, context, quantize));
    await checkFusion(model, context);
  },
});

const byRecipe: FloatReason = { rule: 'float', reason: 'the recipe leaves it in float' };

/** What is decided before anything changes. */
interface Decided {
  readonly placement: Placement;
  readonly override: (node: Node) => Override;
  /** Nodes that the recipe, or the caller, leaves in float. */
  readonly forced: ReadonlyMap<Node, FloatReason>;
}

function decided(model: Model, { options: chosen, select, target, sizes }: WantsContext<QuantizeOptions>, float: ReadonlyMap<Node, FloatReason>): Decided {
  const override = readOverrides(chosen.overrides);
  const nodes = [...model.graph.walk()];
  requireUsed(chosen.overrides, nodes);
  const forced = new Map(nodes.flatMap((node) => {
    const reason = override(node).precision === 'float' ? byRecipe : float.get(node);
    return reason === undefined ? [] : [[node, reason] as const];
  }));
  const { attention, concat, memoryBound } = chosen;
  const placement = placementOf(model, target, {
    select: (node) => select.has(node) && !forced.has(node), spared: (node) => select.has(node) && forced.has(node), sizes, attention, concat, memoryBound,
  });
  return { placement, override, forced };
}

/** The statistics that a placement wants: ranges of its classes, and of what its layers read the figures of the channels (for biases and predictions), or second moments. */
function wanted({ classes, weights, decisions, regions }: Placement, { rounding, maxDrop, maxFloatMacs, sensitivity }: QuantizeOptions): StatisticsRequest {
  // With some layers in float, others become the values to quantize.
  const possible = maxDrop === undefined && sensitivity === undefined && maxFloatMacs === 0 ? []
    : [...decisions.map(({ node }) => node), ...regions.flatMap(({ members }) => members)].filter((node) => roleOf(node) !== 'pointwise').flatMap(({ inputs }) => inputs);
  const all = [...classes.flatMap(({ observe, fixed }) => (fixed === undefined ? observe : [])), ...possible];
  const values = all.filter((value) => value !== undefined).filter(({ constant, type }) => constant === undefined && isFloat(dtypeOfType(type) ?? 'float'));
  return {
    ranges: [...new Set(values)].map((value) => ({ value: value.name })),
    channels: [...new Map(weights.flatMap(({ node, input }) => {
      const value = node.inputs[0];
      const axis = inputChannelAxis(node, shapeOf(value?.type)?.length);
      return input !== 1 || value === undefined || axis === undefined ? [] : [[value.name, { value: value.name, axis }] as const];
    })).values()],
    moments: rounding === 'gptq' ? weights.map(({ node }) => node.name) : [],
  };
}

/**
 * Quantizes a model and predicts the noise of its layers. Throws `quantize/no-statistics` and what else is wrong before it changes anything.
 */
export function quantize(model: Model, context: PassContext<QuantizeOptions>, { float, roundings }: Kept): LayerNoise {
  const { options: chosen, edit, target, stat, remark } = context;
  const { placement, override, forced } = decided(model, context, float);
  const before = [...model.graph.walk()].filter((node) => node.is('QuantizeLinear', 'DequantizeLinear')).length;
  if (before > 0) remark({ kind: 'analysis', rule: 'quantized-already', message: `${before} QuantizeLinear and DequantizeLinear nodes are there already: what stands between them is left as it is` });
  const wishes = placement.classes.map((_, index) => wishOf(placement, index, override, chosen));
  const statistics = context.statistics.get();
  const missing = placement.classes.flatMap((scaleClass, index) => (statistics === undefined ? scaleClass.observe : unobserved(scaleClass, wishes[index]!, statistics)));
  if (missing.length > 0) throw noStatistics(missing.map(({ name }) => name), statistics === undefined);
  const opset = Math.max(model.opset() ?? 0, (model.opset() ?? 0) < perChannelOpset ? target.opset.prefer : 0);
  if (placement.pairs.length > 0) checkRaise(model, opset);
  const scales = statistics === undefined ? [] : placement.classes.map((scaleClass, index) => classScale(scaleClass, wishes[index]!, statistics, target.numbers.activations));
  const layers = statistics === undefined ? new Map<Node, LayerResult>() : emit(edit, placement, scales, statistics, target, { ...chosen, roundings });
  const noise = explain(placement, scales, layers, forced, context);
  if (placement.pairs.length === 0 || opset === model.opset()) return noise;
  remark({ kind: 'applied', rule: 'opset', message: `opset ${model.opset() ?? 0} became ${opset}: per-channel scales need ${perChannelOpset}` });
  stat('nodes converted to the opset', raiseOpset(model, edit, opset));
  return noise;
}

/** The opset that brought scales for each channel. */
const perChannelOpset = 13;

/** What the recipe says about the range of a class: the first of its readers that says something decides. */
function wishOf({ pairs }: Placement, scaleClass: number, override: (node: Node) => Override, { method }: QuantizeOptions): RangeWish {
  const readers = pairs.filter((pair) => pair.scaleClass === scaleClass).flatMap(({ consumers }) => consumers.map(({ node }) => override(node)));
  return { method: readers.find((reader) => reader.method !== undefined)?.method ?? method, range: readers.find((reader) => reader.range !== undefined)?.range };
}

function noStatistics(names: readonly string[], none: boolean): Diagnostic {
  const some = names.slice(0, 3).map((name) => `'${name}'`).join(', ');
  return new Diagnostic('quantize/no-statistics', none ? 'there are no ranges for this model as it is now' : `the statistics say nothing about ${some}${names.length > 3 ? ` and ${names.length - 3} more` : ''}`, {
    ...(names[0] !== undefined && { tensor: names[0] }),
    suggestion: none ? 'Put a `calibrate` step right before this one.' : 'Gather them anew, with a `calibrate` step before this one: they are of another model, or of other options of this step.',
  });
}
