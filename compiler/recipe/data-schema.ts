import { exactlyOne, type Schema } from './schema.ts';

const path = (description: string): Schema => ({ type: 'string', minLength: 1, format: 'path', description });
const numbers = (description: string): Schema => ({ type: 'array', items: { type: 'number' }, minItems: 1, maxItems: 4096, description });

/** Where samples can come from. A reader names exactly one of these. */
const sources: Readonly<Record<string, Schema>> = {
  images: path('Glob of image files, such as calib/**/*.jpg.'),
  npy: path('NumPy file, or glob of files, with samples along axis 0.'),
  npz: path('NumPy archive whose arrays are named as the inputs of the model.'),
  raw: path('File of raw little-endian numbers; needs shape and dtype.'),
  pb: path('Glob of ONNX TensorProto files.'),
  module: path('JavaScript module whose default export is an async iterator of samples; running it is running code.'),
  random: {
    type: 'object', title: 'random data', additionalProperties: false, required: ['seed'],
    properties: { seed: { type: 'integer', minimum: 0, maximum: 4294967295, description: 'Seed of the generator.' } },
    description: 'Random numbers: they make a bad calibration, so they must be asked for, and are recorded in the model.',
  },
  inputs: {
    type: 'object', title: 'readers by input', minProperties: 1, additionalProperties: { $ref: '#/definitions/reader' },
    description: 'One reader for each input of the model, by input name.',
  },
};

/** The keys of `sources`, in the order of the documentation. */
export const readerSources: readonly string[] = Object.keys(sources);

const preprocess: Schema = {
  type: ['string', 'object'],
  description: 'How a sample becomes the input of the model: a preset, or its parts.',
  if: { type: 'string' },
  then: { enum: ['imagenet', 'imagenet-caffe', 'tf', 'zero-one', 'none'] },
  else: {
    title: 'a preprocessing',
    additionalProperties: false,
    properties: {
      preset: { type: 'string', enum: ['imagenet', 'imagenet-caffe', 'tf', 'zero-one', 'none'], description: 'The preset that the other keys adjust.' },
      resize: { type: 'array', items: { type: 'integer', minimum: 1, maximum: 16384 }, minItems: 1, maxItems: 2, description: 'Height and width, or the length of the shorter side, in pixels.' },
      crop: { type: 'array', items: { type: 'integer', minimum: 1, maximum: 16384 }, minItems: 2, maxItems: 2, description: 'Height and width of the centre crop, in pixels.' },
      letterbox: { type: 'boolean', description: 'Keeps the aspect ratio and fills the rest, as detectors want it.' },
      fill: { type: 'number', minimum: 0, maximum: 255, description: 'Grey value of the letterbox.' },
      order: { type: 'string', enum: ['rgb', 'bgr', 'grey'], description: 'Order of the colour channels.' },
      layout: { type: 'string', enum: ['nchw', 'nhwc'], description: 'Order of the axes.' },
      scale: { type: 'number', description: 'Factor, applied first.' },
      mean: numbers('Subtracted after scaling: one number, or one for each channel.'),
      std: numbers('Divisor, applied last: one number, or one for each channel.'),
      dtype: { type: 'string', enum: ['float32', 'float16', 'uint8', 'int8', 'int32', 'int64'], description: 'Element type of the input.' },
    },
  },
};

const labels: Schema = {
  type: ['string', 'object'],
  description: '`folder` (names of the folders), `name` (the number in the file name), or a CSV, JSON or npy file; as a map, a file with its layout.',
  format: 'path-or-word',
  if: { type: 'object' },
  then: {
    title: 'labels',
    additionalProperties: false,
    required: ['file'],
    properties: {
      file: path('CSV, JSON, npy, or raw file.'),
      dtype: { type: 'string', enum: ['uint8', 'int32', 'int64', 'float32'], description: 'Element type of a raw file.' },
      column: { type: 'string', description: 'Column of a CSV file.' },
      offset: { type: 'integer', minimum: 0, description: 'Bytes before the first label of a raw file.' },
    },
  },
};

const settings: Readonly<Record<string, Schema>> = {
  preprocess,
  samples: { type: 'integer', minimum: 1, maximum: 1e9, description: 'How many samples are used; all of them if absent.' },
  seed: { type: 'integer', minimum: 0, maximum: 4294967295, description: 'Seed with which samples are chosen; the first ones are taken if absent.' },
  skip: { type: 'integer', minimum: 0, maximum: 1e9, description: 'How many samples are passed over first.' },
  batch: { type: 'integer', minimum: 1, maximum: 65536, description: 'Samples in one run, where the model allows.' },
  shape: { type: 'array', items: { type: 'integer', minimum: 0, maximum: 2147483647 }, maxItems: 16, description: 'Shape of one sample in a raw file.' },
  dtype: {
    type: 'string', enum: ['float32', 'float16', 'float64', 'uint8', 'int8', 'uint16', 'int16', 'int32', 'int64', 'bool'], description: 'Element type of a raw file.',
  },
  offset: { type: 'integer', minimum: 0, description: 'Bytes before the first sample of a raw file.' },
  labels,
  metric: {
    type: 'string', minLength: 1, format: 'path-or-word', description: 'top1, top5, sqnr, cosine, kl, maxError, map, auc, or a module of your own (./metric.mjs).',
  },
};

/** One named reader under `data`. */
export const reader: Schema = {
  type: 'object',
  title: 'a reader',
  additionalProperties: false,
  properties: { ...sources, ...settings },
  oneOf: exactlyOne(...readerSources),
};
