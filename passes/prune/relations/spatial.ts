import type { Node, Value } from '../../../ir/model.ts';
import { axisOf, listOf, numbersOf } from '../../fold/operands.ts';
import { opsetOf } from '../../pattern.ts';
import type { Flow } from '../flow.ts';
import type { Layout } from '../layout.ts';
import type { Relate, Relation, Relations } from '../relation.ts';
import type { Survivors } from '../survivors.ts';
import { entriesOf, listEntries, numberOf, rewrite, rewriteList, settle, type Entry, type AxesOf } from './lengths.ts';

const spatial = 'is an axis of space';

/** Axis 1 of the output is made of blocks of axis 1 of the input, or the other way round; the other axes stay. */
function channels(make: (flow: Flow, ids: Int32Array, node: Node) => Int32Array): Relate {
  return (node, flow) => {
    const ids = flow.only(node.inputs[0], 1, spatial);
    if (ids !== undefined) flow.set(node.outputs[0], [{ axes: [1], ids: make(flow, ids, node) }]);
  };
}

/** The channels that become one: in DCR they lie as far apart as there are channels in the output, in CRD side by side. */
const depthToSpace = channels((flow, ids, node) => {
  const blocks = node.int('blocksize', 1) ** 2;
  const count = ids.length / blocks;
  const from = (channel: number, block: number): number => ids[node.string('mode', 'DCR') === 'CRD' ? channel * blocks + block : block * count + channel]!;
  return Int32Array.from({ length: count }, (_, channel) => {
    flow.merge(Array.from({ length: blocks }, (_, block) => from(channel, block)));
    return from(channel, 0);
  });
});

/** Every place of a block gets a copy of all channels. */
const spaceToDepth = channels((_, ids, node) => Int32Array.from({ length: ids.length * node.int('blocksize', 1) ** 2 }, (_, at) => ids[at % ids.length]!));

/** Axis 1 of the input holds all places of the kernel for each channel. */
const col2Im = channels((flow, ids, node) => {
  const count = flow.length(node.outputs[0]!, 1) ?? 1;
  const places = ids.length / count;
  return Int32Array.from({ length: count }, (_, channel) => {
    flow.merge(ids.subarray(channel * places, (channel + 1) * places));
    return ids[channel * places]!;
  });
});

/** One axis that a Pad names: what it adds (or cuts off, below 0) at both ends; undefined where only running the model tells. */
interface Padding {
  readonly axis: number;
  readonly at: readonly [begin: number, end: number];
  readonly begin: number | undefined;
  readonly end: number | undefined;
}

/** `pads` holds all beginnings, then all ends. */
function paddingsOf(node: Node, rank: number, axesOf: AxesOf): Padding[] | undefined {
  const axes = listOf(node, 3, '', null);
  const pads = listEntries(node, 1, 'pads', axesOf);
  if (axes === undefined) return undefined;
  const count = axes?.length ?? rank;
  return Array.from({ length: count }, (_, at) => ({ axis: axisOf(axes?.[at] ?? at, rank)!, at: [at, count + at], begin: numberOf(pads?.[at]), end: numberOf(pads?.[count + at]) }));
}

/** What is added along an axis that shrinks are new channels: they go only with what they are combined with. */
const pad: Relation = {
  relate(node, flow) {
    const [x] = node.inputs;
    const rank = flow.rank(x);
    if (x === undefined || rank === undefined) return;
    const paddings = paddingsOf(node, rank, (value) => flow.axes(value));
    if (paddings === undefined) {
      flow.rigidAll(x, 'is padded along axes that only running the model tells');
      return;
    }
    const padded = new Map<number, Int32Array | undefined>();
    for (const { axis, begin, end } of paddings) {
      if (begin === 0 && end === 0) continue;
      if (begin === undefined || end === undefined) flow.rigid(x, axis, 'is padded by lengths that only running the model tells');
      else if (node.string('mode', 'constant') !== 'constant') flow.rigid(x, axis, 'is padded with its own elements');
      else {
        const ids = flow.separate(x, axis);
        padded.set(axis, ids && Int32Array.from([...flow.fresh(Math.max(0, begin)), ...ids.subarray(Math.max(0, -begin), ids.length - Math.max(0, -end)), ...flow.fresh(Math.max(0, end))]));
        continue;
      }
      padded.set(axis, undefined);
    }
    const layout: Layout[number][] = flow.layout(x).filter(({ axes }) => !axes.some((axis) => padded.has(axis)));
    for (const [axis, ids] of padded) if (ids !== undefined) layout.push({ axes: [axis], ids });
    flow.set(node.outputs[0], layout);
  },
  rewire(node, survivors, edit) {
    const [x] = node.inputs;
    const [y] = node.outputs;
    if (x === undefined || y === undefined) return;
    const axesOf: AxesOf = (value) => survivors.before(value);
    const wanted: (number | undefined)[] = [];
    for (const { axis, at, begin, end } of paddingsOf(node, survivors.before(x).length, axesOf) ?? []) {
      if (begin === undefined || end === undefined || (begin === 0 && end === 0)) continue;
      const [left, right] = [begin, end].map((count, side) => paddingLeft(count, side === 1, x, y, axis, survivors));
      if (left !== begin) wanted[at[0]] = left;
      if (right !== end) wanted[at[1]] = right;
    }
    rewriteList(node, 1, 'pads', Array.from(wanted), edit, axesOf);
  },
};

/** Of what is added, what stays of it in the output; of what is cut off, what stays of it in the input. */
function paddingLeft(count: number, atEnd: boolean, x: Value, y: Value, axis: number, survivors: Survivors): number {
  const value = count > 0 ? y : x;
  const positions = survivors.positions(value, axis);
  const length = survivors.before(value)[axis]!;
  const left = positions?.filter((position) => (atEnd ? position >= length - Math.abs(count) : position < Math.abs(count))).length ?? Math.abs(count);
  return count < 0 ? -left : left;
}

/** What a Resize does along one axis. */
type Scaling = { readonly kind: 'none' } | { readonly kind: 'size'; readonly entry: Entry } | { readonly kind: 'scale'; readonly entry: Entry };

/** Upsample and the first Resize take scales alone; later ones regions, scales and sizes, for some of the axes. */
function scalingOf(node: Node, axis: number, axesOf: AxesOf): Scaling {
  const at = node.ints('axes')?.indexOf(axis) ?? axis;
  if (at < 0) return { kind: 'none' };
  const isEarly = node.op === 'Upsample' || opsetOf(node) < 11;
  if (!isEarly && node.inputs[3] !== undefined) return { kind: 'size', entry: entriesOf(node.inputs[3], axesOf)?.[at] };
  const scales = isEarly && node.inputs[1] === undefined ? listOf(node, 1, 'scales', undefined)?.map((number) => ({ number })) : entriesOf(node.inputs[isEarly ? 1 : 2], axesOf);
  return { kind: 'scale', entry: scales?.[at] };
}

/** True if the whole axis is resized, and not a region of it. */
function isWhole(node: Node, axis: number): boolean {
  if (node.string('coordinate_transformation_mode', 'half_pixel') !== 'tf_crop_and_resize') return true;
  const region = numbersOf(node.inputs[1]);
  const at = node.ints('axes')?.indexOf(axis) ?? axis;
  return region?.[at] === 0 && region[region.length / 2 + at] === 1;
}

/** Axes that keep their lengths go through as they are: those with scale 1, or with a size that is the input's. Along the others elements are mixed. */
const resize: Relation = {
  relate(node, flow) {
    const [x] = node.inputs;
    const [y] = node.outputs;
    const rank = flow.rank(x);
    if (x === undefined || y === undefined || rank === undefined) return;
    const sizes: { readonly axis: number; readonly entry: Entry }[] = [];
    const mixed = new Set<number>();
    for (let axis = 0; axis < rank; axis++) {
      if (flow.part(x, axis) === undefined) continue;
      const scaling = scalingOf(node, axis, (value) => flow.axes(value));
      if (scaling.kind === 'none') continue;
      const isKept = scaling.kind === 'scale' ? numberOf(scaling.entry) === 1
        : flow.length(x, axis) === flow.length(y, axis) && scaling.entry !== undefined && node.string('keep_aspect_ratio_policy', 'stretch') === 'stretch';
      if (!isKept || !isWhole(node, axis)) {
        flow.rigid(x, axis, 'is an axis along which elements are interpolated');
        mixed.add(axis);
      } else if (scaling.kind === 'size') sizes.push({ axis, entry: scaling.entry });
    }
    flow.set(y, flow.layout(x).filter(({ axes }) => !axes.some((axis) => mixed.has(axis))));
    for (const { axis, entry } of sizes) settle(flow, y, axis, entry);
  },
  rewire(node, survivors, edit) {
    const [y] = node.outputs;
    if (y === undefined) return;
    const axesOf: AxesOf = (value) => survivors.before(value);
    const [before, after] = [survivors.before(y), survivors.after(y)];
    const wanted: (number | undefined)[] = [];
    for (let axis = 0; axis < after.length; axis++) {
      const scaling = scalingOf(node, axis, axesOf);
      if (scaling.kind === 'size' && numberOf(scaling.entry) !== undefined && before[axis] !== after[axis]) wanted[node.ints('axes')?.indexOf(axis) ?? axis] = after[axis];
    }
    rewrite(node, 3, Array.from(wanted), edit, axesOf);
  },
};

/** Axes that are not listed go through as they are. */
const centerCropPad: Relate = (node, flow) => {
  const [x] = node.inputs;
  const rank = flow.rank(x);
  if (rank === undefined) return;
  const named = node.ints('axes', Array.from({ length: rank }, (_, axis) => axis)).map((axis) => axisOf(axis, rank)!);
  for (const axis of named) flow.rigid(x, axis, 'is cropped or padded to a length');
  flow.set(node.outputs[0], flow.layout(x).filter(({ axes }) => !axes.some((axis) => named.includes(axis))));
};

export const spatialOperators: Relations = {
  DepthToSpace: depthToSpace, SpaceToDepth: spaceToDepth, Col2Im: col2Im, Pad: pad, Resize: resize, Upsample: resize, CenterCropPad: centerCropPad,
};
