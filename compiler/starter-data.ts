import { Diagnostic } from '../ir/diagnostic.ts';
import { isFloat } from '../ir/dtype.ts';
import type { Model } from '../ir/model.ts';
import { imageSize, interfaceOfModel, layoutOf, wanted, type ModelInput } from './data/inputs.ts';

/**
 * The `data` of a starter recipe, to be filled in: images for an input that looks like one, NumPy files for all others. Its own remarks begin with `#`. Nothing for a
 * model whose inputs no file of numbers can feed.
 */
export function starterData(model: Model, scalar: (text: string) => string): string[] {
  const inputs = inputsOf(model).filter(({ dtype }) => dtype !== 'string');
  if (inputs.length === 0 || inputs.length < model.graph.inputs.filter(({ tensor }) => tensor === undefined).length) return [];
  const [only] = inputs;
  const image = inputs.length === 1 ? imagePreprocess(only!) : undefined;
  const source = (folder: string, pattern: string): string[] => {
    if (image !== undefined) return [`    images: ${folder}/${pattern}`, `    preprocess: ${image.preprocess} # ${image.remark}`];
    if (inputs.length === 1) return [`    npy: ${folder}.npy # ${rows(only!)}`];
    return ['    inputs:', ...inputs.map((input) => `      ${scalar(input.name)}: { npy: ${folder}/${fileName(input.name)}.npy } # ${rows(input)}`)];
  };
  return [
    'data:',
    '  # Samples such as the model will see: a few hundred, without labels.',
    '  calibration:',
    ...source('calibration', '**/*.{jpg,png}'),
    '    samples: 256',
    '  # Others, on which the result is measured; without `labels`, by how often it agrees with the original.',
    '  validation:',
    ...source('validation', '*/*.{jpg,png}'),
    `    labels: ${image === undefined ? 'validation.labels.npy # of a classifier: class numbers' : 'folder # of a classifier: a folder for each class, in the sorted order of their names'}`,
  ];
}

/** The inputs that data feed; none where one of them is no tensor of known element type and rank. */
function inputsOf(model: Model): readonly ModelInput[] {
  try {
    return interfaceOfModel(model, new Set(), new Map()).inputs;
  } catch (error) {
    if (Diagnostic.is(error)) return [];
    throw error;
  }
}

/** What an image must go through to fit an input of three colours or of grey, if it is one. */
function imagePreprocess(input: ModelInput): { readonly preprocess: string; readonly remark: string } | undefined {
  const { shape, sample, batched, dtype } = input;
  const layout = layoutOf(input);
  const channels = layout === 'nhwc' ? sample.at(-1) : sample.at(-3);
  if (shape.length !== 4 || (!batched && shape[0] !== 1) || !(isFloat(dtype) || dtype === 'uint8') || (channels !== 3 && channels !== 1)) return undefined;
  const size = imageSize(input, layout);
  // One channel may as well be a spectrogram, which has few rows or columns.
  if (channels === 1 && Math.min(...size ?? []) < 16) return undefined;
  const known = size === undefined ? '' : `${size[0]} × ${size[1]} pixels; `;
  const [height, width] = size ?? [224, 224];
  if (channels === 3 && isFloat(dtype)) return { preprocess: 'imagenet', remark: `${known}or imagenet-caffe, tf, zero-one, { scale, mean, std, resize: [${height}, ${width}] }: as in training` };
  const parts = [...(isFloat(dtype) ? ['preset: zero-one'] : ['dtype: uint8']), ...(channels === 1 ? ['order: grey'] : []), `resize: [${height}, ${width}]`];
  return { preprocess: `{ ${parts.join(', ')} }`, remark: 'as in training' };
}

/** The array that a file must hold. */
function rows(input: ModelInput): string {
  return JSON.stringify(input.batched ? wanted({ ...input, shape: ['samples', ...input.sample] }) : `${wanted(input)} for each sample`).slice(1, -1);
}

const fileName = (name: string): string => name.replaceAll(/[^\w-]/g, '_').slice(0, 40);
