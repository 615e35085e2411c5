import type { Label } from '../../passes/data.ts';
import type { TrueBox } from '../data/boxes.ts';
import type { Placement } from '../data/reader.ts';
import { called, labelsOf, mean, outputsBySample, unfit, type Metric, type OutputArray, type Scored } from './metric.ts';

/** An object that the model has found; the box is left, top, right and bottom in pixels of the input. */
export interface Detection {
  readonly class: number;
  readonly score: number;
  readonly box: readonly [number, number, number, number];
}

/** Turns the outputs of one sample into detections, after suppression of what is found twice. */
export type Decode = (outputs: Readonly<Record<string, OutputArray>>, label: Label) => readonly Detection[] | Promise<readonly Detection[]>;

/** Equally spaced numbers, with the rounding that NumPy's linspace has: recalls are compared with them, and hit them exactly. */
const spaced = (first: number, last: number, count: number): number[] => Array.from({ length: count }, (_, index) => (index === count - 1 ? last : first + index * ((last - first) / (count - 1))));

/** Least overlaps that count as found. */
const thresholds: readonly number[] = spaced(0.5, 0.95, 10);
/** Recalls at which precision is read. */
const recalls: readonly number[] = spaced(0, 1, 101);
/** Detections of one class in one image that count. */
const mostDetections = 100;

/** The detections of one class over all images. */
interface ClassRecord {
  /** Objects that should be found. */
  objects: number;
  readonly scores: number[];
  /** For each detection, a bit for each threshold. */
  readonly found: number[];
  readonly ignored: number[];
}

/**
 * Mean average precision in percent as COCO computes it (cocoapi, COCOeval): for each class and each of ten overlaps from 0.5 to 0.95, precision made
 * monotone and read at 101 recalls; the mean over overlaps and classes that occur. Crowds count neither way. Boxes are compared in pixels
 * of the image, where labels carry the placement of the image in the input.
 */
export function mapMetric(decode: Decode): Metric & { readonly ap50: () => number } {
  const name = 'map';
  const classes = new Map<number, ClassRecord>();
  const recordOf = (kind: number): ClassRecord => {
    const record = classes.get(kind) ?? { objects: 0, scores: [], found: [], ignored: [] };
    classes.set(kind, record);
    return record;
  };
  const average = (which: readonly number[]): number => {
    const present = [...classes.values()].filter(({ objects }) => objects > 0);
    return 100 * mean(present.flatMap((record) => which.map((threshold) => averagePrecision(record, threshold))));
  };
  return {
    name, higherIsBetter: true, unit: 'percent', needs: { labels: true },
    value: () => average([...thresholds.keys()]),
    ap50: () => average([0]),
    async add(scored: Scored): Promise<void> {
      const labels = labelsOf(name, scored);
      for (const [index, outputs] of outputsBySample(name, scored).entries()) {
        const label = labels[index]!;
        const { boxes, placement } = truth(label);
        const detections = sound(await called(name, () => decode(outputs, label))).map((detection) => placedBack(detection, placement));
        for (const kind of new Set([...boxes, ...detections].map((each) => each.class))) {
          match(boxes.filter((box) => box.class === kind), detections.filter((detection) => detection.class === kind), recordOf(kind));
        }
      }
    },
  };

  function truth(label: Label): { readonly boxes: readonly TrueBox[]; readonly placement: Placement | undefined } {
    const { boxes, placement } = (isMap(label) ? label : {}) as { boxes?: unknown; placement?: Placement };
    if (!Array.isArray(boxes) || !boxes.every(isPlaced)) throw unfit(name, 'a label has no boxes', 'Give annotations as COCO writes them, or `boxes` by image; see specs/data.md.');
    return { boxes, placement };
  }

  /** Detections that can be compared; what a model finds nowhere, or with a score that is no number, is not found. */
  function sound(detections: unknown): Detection[] {
    if (!Array.isArray(detections) || !detections.every((each): each is Detection => isPlaced(each) && typeof (each as Partial<Detection>).score === 'number')) {
      throw unfit(name, '`decode` gives no list of detections', 'Return [{ class, score, box: [left, top, right, bottom] }].');
    }
    return detections.filter(({ score, box }) => !Number.isNaN(score) && box.every(Number.isFinite));
  }
}

function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** True for something of a class, with a box. */
function isPlaced(value: unknown): value is { readonly class: number; readonly box: Detection['box'] } {
  return isMap(value) && typeof value['class'] === 'number' && Array.isArray(value['box']) && value['box'].length === 4 && value['box'].every((edge) => typeof edge === 'number');
}

function placedBack(detection: Detection, placement: Placement | undefined): Detection {
  if (placement === undefined) return detection;
  const { scale, offset } = placement;
  const back = (value: number, axis: 0 | 1): number => (value - offset[axis]) / scale[axis];
  const [left, top, right, bottom] = detection.box;
  return { ...detection, box: [back(left, 0), back(top, 1), back(right, 0), back(bottom, 1)] };
}

/** Assigns the detections of a class in one image to its objects, greedily by score, for each threshold. */
function match(boxes: readonly TrueBox[], detections: readonly Detection[], record: ClassRecord): void {
  const objects = boxes.toSorted((a, b) => Number(a.crowd ?? false) - Number(b.crowd ?? false));
  record.objects += objects.filter(({ crowd }) => crowd !== true).length;
  const best = detections.toSorted((a, b) => b.score - a.score).slice(0, mostDetections);
  const overlaps = best.map(({ box }) => objects.map((object) => overlap(box, object)));
  const [found, ignored] = [best.map(() => 0), best.map(() => 0)];
  for (const [bit, threshold] of thresholds.entries()) {
    const taken = new Set<number>();
    for (const index of best.keys()) {
      let [least, chosen] = [Math.min(threshold, 1 - 1e-10), -1];
      for (const [candidate, object] of objects.entries()) {
        if (taken.has(candidate) && object.crowd !== true) continue;
        // Objects come before crowds: what matches an object is not looked for in a crowd.
        if (chosen >= 0 && objects[chosen]!.crowd !== true && object.crowd === true) break;
        if (overlaps[index]![candidate]! < least) continue;
        least = overlaps[index]![candidate]!;
        chosen = candidate;
      }
      if (chosen < 0) continue;
      taken.add(chosen);
      found[index]! |= 1 << bit;
      if (objects[chosen]!.crowd === true) ignored[index]! |= 1 << bit;
    }
  }
  record.scores.push(...best.map(({ score }) => score));
  record.found.push(...found);
  record.ignored.push(...ignored);
}

/** Intersection over union; for a crowd, the share of the detection that lies inside. */
function overlap([left, top, right, bottom]: Detection['box'], { box, crowd }: TrueBox): number {
  const width = Math.min(right, box[2]) - Math.max(left, box[0]);
  const height = Math.min(bottom, box[3]) - Math.max(top, box[1]);
  if (width <= 0 || height <= 0) return 0;
  const shared = width * height;
  const own = (right - left) * (bottom - top);
  return shared / (crowd === true ? own : own + (box[2] - box[0]) * (box[3] - box[1]) - shared);
}

function averagePrecision({ objects, scores, found, ignored }: ClassRecord, bit: number): number {
  const order = scores.map((_, index) => index).sort((a, b) => scores[b]! - scores[a]!).filter((index) => (ignored[index]! >> bit & 1) === 0);
  const recall: number[] = [];
  const precision: number[] = [];
  let right = 0;
  for (const [rank, index] of order.entries()) {
    right += found[index]! >> bit & 1;
    recall.push(right / objects);
    precision.push(right / (rank + 1));
  }
  for (let at = precision.length - 2; at >= 0; at--) precision[at] = Math.max(precision[at]!, precision[at + 1]!);
  let [sum, at] = [0, 0];
  for (const least of recalls) {
    while (at < recall.length && recall[at]! < least) at++;
    sum += precision[at] ?? 0;
  }
  return sum / recalls.length;
}
