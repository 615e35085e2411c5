import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import { classNames, shapes, side } from './shapes.ts';

/** What the recipes read, below the folder that they write to: seeds and numbers of images. The network was trained on images of seed 1 and watched on those of seed 2. */
export const imageSets = { calibration: { seed: 1, count: 256 }, validation: { seed: 3, count: 1000 } } as const;

/** The folder of a class: in sorted order, folders have the order of the classes, which is how `labels: folder` numbers them. */
const folderOf = (label: number): string => `${label}-${classNames[label]!}`;

/** Draws images and writes them as `FOLDER/CLASS/NUMBER.png`, in place of what is in the folder. */
export async function writeImages(folder: string, { seed, count }: { readonly seed: number; readonly count: number }): Promise<void> {
  rmSync(folder, { recursive: true, force: true });
  for (const label of classNames.keys()) mkdirSync(join(folder, folderOf(label)), { recursive: true });
  const { images, labels } = shapes(seed, count);
  const size = side * side * 3;
  await Promise.all(Array.from(labels, (label, at) => sharp(images.subarray(at * size, (at + 1) * size), { raw: { width: side, height: side, channels: 3 } })
    .png().toFile(join(folder, folderOf(label), `${String(at).padStart(4, '0')}.png`))));
}
