import type { Label } from '../../passes/data.ts';

/** An object of an image; the box is left, top, right and bottom in pixels of the image. */
export interface TrueBox {
  readonly class: number;
  readonly box: readonly [number, number, number, number];
  /** A crowd of objects: detections inside it count neither way (COCO). */
  readonly crowd?: boolean;
}

type Fields = Readonly<Record<string, unknown>>;

/**
 * Labels by name of the image from an annotation file of a detector, or undefined if it is none, or not a sound one: COCO's own format (`images`, `annotations`, categories
 * numbered in the order of their ids), or `images` by name with `boxes` of [class, centre x, centre y, width, height] relative to the image
 * (YOLO) and `size` [width, height]. Each label is `{ boxes: TrueBox[] }`.
 */
export function boxLabels(content: unknown): Map<string, Label> | undefined {
  const { images, annotations, categories = [] } = isFields(content) ? content : {} as Fields;
  if (Array.isArray(images) && Array.isArray(annotations)) {
    const wellFormed = Array.isArray(categories) && [images, annotations, categories].every((list) => list.every(isFields)) && annotations.every((each) => isNumbers((each as Fields)['bbox'], 4));
    return wellFormed ? coco(images as Fields[], annotations as Fields[], categories as Fields[]) : undefined;
  }
  if (!isFields(images)) return undefined;
  const entries = Object.entries(images);
  const wellFormed = entries.every(([, image]) => isFields(image) && isNumbers(image['size'], 2) && Array.isArray(image['boxes']) && image['boxes'].every((box) => isNumbers(box, 5)));
  if (!wellFormed) return undefined;
  return new Map((entries as [string, Fields][]).map(([name, image]) => [name, { boxes: relative(image['boxes'] as number[][], image['size'] as [number, number]) }]));
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isNumbers(value: unknown, count: number): boolean {
  return Array.isArray(value) && value.length === count && value.every(Number.isFinite);
}

function relative(boxes: readonly (readonly number[])[], [width, height]: readonly [number, number]): TrueBox[] {
  return boxes.map(([kind = 0, x = 0, y = 0, w = 0, h = 0]) => ({ class: kind, box: [(x - w / 2) * width, (y - h / 2) * height, (x + w / 2) * width, (y + h / 2) * height] }));
}

function coco(images: readonly Fields[], annotations: readonly Fields[], categories: readonly Fields[]): Map<string, Label> {
  const ids = (categories.length > 0 ? categories.map(({ id }) => id as number) : [...new Set(annotations.map(({ category_id: id }) => id as number))]).sort((a, b) => a - b);
  const classes = new Map(ids.map((id, index) => [id, index]));
  const boxes = new Map<unknown, TrueBox[]>(images.map(({ id }) => [id, []]));
  for (const { image_id: image, category_id: category, bbox, iscrowd } of annotations) {
    const [x = 0, y = 0, w = 0, h = 0] = bbox as number[];
    boxes.get(image)?.push({ class: classes.get(category as number) ?? -1, box: [x, y, x + w, y + h], ...(iscrowd === 1 && { crowd: true }) });
  }
  return new Map(images.map(({ id, file_name: name }) => [String(name ?? id), { boxes: boxes.get(id)! }]));
}
