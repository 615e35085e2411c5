import type { DType } from '../../ir/dtype.ts';
import { imageSize, layoutOf, type ModelInput } from './inputs.ts';
import type { ArrayType, InputReaderSettings, Layout, PreprocessSettings, Preset } from './settings.ts';

/** What happens to the numbers of a sample. */
export interface Numeric {
  readonly order: 'rgb' | 'bgr' | 'grey';
  /** Order of the axes in the data, and in the input. */
  readonly from: Layout;
  readonly layout: Layout;
  /** x becomes (x · scale − mean) / std; mean and std have one number, or one for each channel of the input. */
  readonly scale: number;
  readonly mean: readonly number[];
  readonly std: readonly number[];
  /** Numbers that are no integers may be rounded to an integer type only if the recipe names it. */
  readonly dtype: DType | undefined;
}

/** How an image is brought to the size of the input. Sizes are height and width in pixels. */
export interface Geometry {
  /** One number is the length of the shorter side; two are the size, whatever the aspect ratio. */
  readonly resize?: readonly number[] | undefined;
  readonly kernel: NonNullable<PreprocessSettings['kernel']>;
  readonly crop?: readonly number[] | undefined;
  /** The image keeps its aspect ratio inside `size`, and the rest is filled. */
  readonly letterbox?: { readonly size: readonly [number, number]; readonly position: 'centre' | 'top-left'; readonly fill: number };
}

const presets: Readonly<Record<Preset, Pick<Numeric, 'order' | 'scale' | 'mean' | 'std'>>> = {
  imagenet: { order: 'rgb', scale: 1 / 255, mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] },
  'imagenet-caffe': { order: 'bgr', scale: 1, mean: [103.939, 116.779, 123.68], std: [1] },
  tf: { order: 'rgb', scale: 1 / 127.5, mean: [1], std: [1] },
  'zero-one': { order: 'rgb', scale: 1 / 255, mean: [0], std: [1] },
  none: { order: 'rgb', scale: 1, mean: [0], std: [1] },
};

/** The presets that bring an image of any size to the input: the shorter side to 256/224 of it, then the centre. */
const cropping: ReadonlySet<Preset> = new Set(['imagenet', 'imagenet-caffe', 'tf']);

const defaultSize = [224, 224] as const;

/** The ONNX name of an element type of a recipe. */
export function dtypeNamed(type: ArrayType): DType {
  return type === 'float32' ? 'float' : type === 'float64' ? 'double' : type;
}

const partsOf = (preprocess: InputReaderSettings['preprocess']): PreprocessSettings => (typeof preprocess === 'string' ? { preset: preprocess } : preprocess ?? {});

const list = (numbers: number | readonly number[] | undefined): readonly number[] | undefined => (typeof numbers === 'number' ? [numbers] : numbers);

/** The numeric part for an input; `image` data have their channels last. */
export function numericOf(preprocess: InputReaderSettings['preprocess'], input: ModelInput, image: boolean): Numeric {
  const parts = partsOf(preprocess);
  const preset = presets[parts.preset ?? 'none'];
  const layout = parts.layout ?? layoutOf(input);
  return {
    order: parts.order ?? preset.order, layout, from: image ? 'nhwc' : parts.from ?? layout,
    scale: parts.scale ?? preset.scale, mean: list(parts.mean) ?? preset.mean, std: list(parts.std) ?? preset.std,
    dtype: parts.dtype && dtypeNamed(parts.dtype),
  };
}

/** The geometric part for an input of images. Any of `resize`, `crop` and `letterbox` replaces what the preset would do. */
export function geometryOf(preprocess: InputReaderSettings['preprocess'], input: ModelInput): Geometry {
  const parts = partsOf(preprocess);
  const { preset = 'none', resize, crop, letterbox, fill = 114, kernel = 'linear' } = parts;
  const size = imageSize(input, parts.layout ?? layoutOf(input)) ?? defaultSize;
  if (letterbox !== undefined && letterbox !== false) {
    const [height = size[0], width = height] = resize ?? size;
    return { kernel, letterbox: { size: [height, width], position: letterbox === 'top-left' ? 'top-left' : 'centre', fill } };
  }
  if (resize !== undefined || crop !== undefined || !cropping.has(preset)) return { kernel, resize, crop };
  return { kernel, resize: [Math.round(Math.min(...size) * 256 / 224)], crop: size };
}
