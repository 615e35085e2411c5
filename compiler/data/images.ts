import type { Sharp, SharpOptions } from 'sharp';
import { Diagnostic } from '../../ir/diagnostic.ts';
import { Tensor } from '../../ir/tensor.ts';
import type { Found } from './glob.ts';
import type { Geometry } from './preprocess.ts';
import { cursor, type IndexedReader, type Placement, type Sample } from './reader.ts';

type SharpFunction = (input: string | Uint8Array, options?: SharpOptions) => Sharp;

/** Largest image that is decoded or made, in pixels. */
const pixelLimit = 2 ** 28;

/** Image files, one sample each, as uint8 RGB with the channels last. Throws `data/sharp` where the package that reads them cannot be loaded. */
export async function imageReader(files: readonly Found[], geometry: Geometry, input: string, load: () => Promise<{ readonly default: SharpFunction }> = () => import('sharp')): Promise<IndexedReader> {
  const sharp = await loadSharp(load);
  return {
    kind: 'indexed',
    count: files.length,
    files: (indices) => (indices === undefined ? files : indices.map((index) => files[index]!)).map(({ path }) => path),
    names: files.map(({ name }) => name),
    open: () => Promise.resolve(cursor((index) => readImage(sharp, files[index]!, geometry, input))),
  };
}

async function loadSharp(load: () => Promise<{ readonly default: SharpFunction }>): Promise<SharpFunction> {
  try {
    return (await load()).default;
  } catch (error) {
    throw new Diagnostic('data/sharp', 'reading images needs the package sharp, which is not installed here', {
      cause: error, suggestion: 'Run `npm install sharp`, or give the images as a .npy file.',
    });
  }
}

async function readImage(sharp: SharpFunction, { path, name }: Found, geometry: Geometry, input: string): Promise<Sample> {
  try {
    const image = sharp(path, { limitInputPixels: pixelLimit, failOn: 'error', sequentialRead: true });
    const { autoOrient: { width, height }, hasAlpha } = await image.metadata();
    const upright = image.autoOrient();
    const { pipeline, placement } = shaped(hasAlpha ? await opaque(sharp, upright) : upright, [height, width], geometry);
    const { data, info } = await pipeline.removeAlpha().toColourspace('srgb').raw({ depth: 'uchar' }).toBuffer({ resolveWithObject: true });
    const tensor = Tensor.fromBytes('uint8', [info.height, info.width, info.channels], data);
    return { arrays: new Map([[input, tensor]]), where: name, file: name, placement: { size: [width, height], ...placement } };
  } catch (error) {
    if (Diagnostic.is(error)) throw error;
    throw new Diagnostic('data/image', `cannot read the image ${name}: ${error instanceof Error ? error.message.split('\n')[0]! : String(error)}`, {
      file: name, cause: error, suggestion: 'Remove the file from the folder, or write it again as JPEG, PNG or WebP.',
    });
  }
}

/** The colours alone, as they are stored: sharp would weigh them with the alpha channel when it resizes. */
async function opaque(sharp: SharpFunction, image: Sharp): Promise<Sharp> {
  const { data, info: { width, height, channels } } = await image.removeAlpha().toColourspace('srgb').raw({ depth: 'uchar' }).toBuffer({ resolveWithObject: true });
  return sharp(data, { raw: { width, height, channels } });
}

/** sharp's names of the kernels. All but `nearest` smooth when they make an image smaller. */
const kernels = { linear: 'linear', cubic: 'cubic', lanczos: 'lanczos3', nearest: 'nearest' } as const;

/** The image brought to its place in the input. `size` is [height, width]. */
function shaped(image: Sharp, size: readonly [number, number], { resize, crop, letterbox, kernel }: Geometry): { pipeline: Sharp; placement: Omit<Placement, 'size'> } {
  // JPEG's own reduction in the decoder is faster, and blurs otherwise than the networks have seen.
  const options = { kernel: kernels[kernel], fastShrinkOnLoad: false, fit: 'fill' as const };
  const [height, width] = size;
  if (letterbox !== undefined) {
    const ratio = Math.min(letterbox.size[0] / height, letterbox.size[1] / width);
    const [inner, across] = [fit(height * ratio, letterbox.size[0]), fit(width * ratio, letterbox.size[1])];
    const [free, beside] = [letterbox.size[0] - inner, letterbox.size[1] - across];
    const [top, left] = letterbox.position === 'top-left' ? [0, 0] : [Math.floor(free / 2), Math.floor(beside / 2)];
    const { fill: grey } = letterbox;
    const background = { r: grey, g: grey, b: grey };
    return {
      pipeline: image.toColourspace('srgb').resize(across, inner, options).extend({ top, left, bottom: free - top, right: beside - left, background }),
      placement: { scale: [across / width, inner / height], offset: [left, top] },
    };
  }
  const [first, second] = resize ?? [];
  const shorter = Math.min(height, width);
  const target = first === undefined ? size : second === undefined ? [Math.max(1, Math.trunc(height * first / shorter)), Math.max(1, Math.trunc(width * first / shorter))] as const : [first, second] as const;
  if (target[0] * target[1] > pixelLimit) throw new Error(`${height} × ${width} pixels would become ${target[0]} × ${target[1]}, which are more than ${pixelLimit}`);
  const resized = first === undefined ? image : image.resize(target[1], target[0], options);
  const scale = [target[1] / width, target[0] / height] as const;
  if (crop === undefined) return { pipeline: resized, placement: { scale, offset: [0, 0] } };
  const [rows, columns] = crop as readonly [number, number];
  if (rows > target[0] || columns > target[1]) {
    throw new Error(`a crop of ${rows} × ${columns} does not fit into ${target[0]} × ${target[1]} pixels; resize it to more`);
  }
  const [top, left] = [Math.floor((target[0] - rows) / 2), Math.floor((target[1] - columns) / 2)];
  return { pipeline: resized.extract({ top, left, width: columns, height: rows }), placement: { scale, offset: [-left, -top] } };
}

/** A length rounded down, inside its box; detectors were trained on lengths cut off so. */
const fit = (length: number, most: number): number => Math.min(most, Math.max(1, Math.trunc(length + 1e-6)));
