import { exactlyOne, type Schema } from './schema.ts';

const path = (description: string): Schema => ({ type: 'string', minLength: 1, format: 'path', description });
const numbers = (description: string): Schema => ({ type: ['number', 'array'], items: { type: 'number' }, minItems: 1, maxItems: 4096, description });

/** Where samples can come from. A reader names exactly one of these. */
const sources: Readonly<Record<string, Schema>> = {
  images: path('Glob of image files, such as calib/**/*.jpg.'),
  npy: path('NumPy file, or glob of files, with samples along axis 0.'),
  npz: path('NumPy archive whose arrays are named as the inputs of the model.'),
  raw: path('File, or glob of files, of raw little-endian numbers; shape and dtype are those of the input if absent.'),
  pb: path('Glob of ONNX TensorProto files, one sample each.'),
  module: path('JavaScript module whose default export is an async iterator of samples, or a function that gives one; running it is running code.'),
  random: {
    type: 'object', title: 'random data', additionalProperties: false, required: ['seed'],
    properties: {
      seed: { type: 'integer', minimum: 0, maximum: 4294967295, description: 'Seed of the generator.' },
      min: { type: 'number', description: 'Least number; with min or max, numbers are uniform, else floats are standard normal and integers 0 or 1.' },
      max: { type: 'number', description: 'Greatest number.' },
    },
    description: 'Random numbers: they make a bad calibration, so they must be asked for, and are recorded in the model.',
  },
};

/** What only one input among several can be fed with. */
const fixedValue: Schema = {
  type: ['number', 'array'], items: { type: 'number' }, maxItems: 65536, description: 'The same number, or the same numbers, in every sample: a sample rate, a state at rest.',
};

/** The keys that say where samples come from, in the order of the documentation. */
export const readerSources: readonly string[] = [...Object.keys(sources), 'inputs'];

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
      kernel: { type: 'string', enum: ['linear', 'cubic', 'lanczos', 'nearest'], default: 'linear', description: 'How pixels are computed when an image is resized; all but nearest smooth what becomes smaller.' },
      resize: { type: 'array', items: { type: 'integer', minimum: 1, maximum: 16384 }, minItems: 1, maxItems: 2, description: 'Height and width, or the length of the shorter side, in pixels.' },
      crop: { type: 'array', items: { type: 'integer', minimum: 1, maximum: 16384 }, minItems: 2, maxItems: 2, description: 'Height and width of the centre crop, in pixels.' },
      letterbox: { type: ['boolean', 'string'], enum: [true, false, 'centre', 'top-left'], description: 'Keeps the aspect ratio and fills the rest, as detectors want it; says where the image lies (true: in the centre).' },
      fill: { type: 'integer', minimum: 0, maximum: 255, default: 114, description: 'Grey value of the letterbox.' },
      order: { type: 'string', enum: ['rgb', 'bgr', 'grey'], description: 'Order of the colour channels of the input; data are taken to be RGB.' },
      layout: { type: 'string', enum: ['nchw', 'nhwc'], description: 'Order of the axes of the input; follows from its shape if absent.' },
      from: { type: 'string', enum: ['nchw', 'nhwc'], description: 'Order of the axes in files of numbers; that of the input if absent. Images need none.' },
      scale: { type: 'number', description: 'Factor, applied first.' },
      mean: numbers('Subtracted after scaling: one number, or one for each channel.'),
      std: numbers('Divisor, applied last: one number, or one for each channel.'),
      dtype: { type: 'string', enum: ['float32', 'float16', 'float64', 'uint8', 'int8', 'uint16', 'int16', 'int32', 'int64', 'bool'], description: 'Element type of the input, checked; naming an integer type also allows rounding.' },
    },
  },
};

const labels: Schema = {
  type: ['string', 'object'],
  description: '`folder` (names of the folders), `name` (the number in the file name), or a CSV, JSON, npy, npz or raw (uint8) file; as a map, a file with its layout.',
  format: 'path-or-word',
  if: { type: 'object' },
  then: {
    title: 'labels',
    additionalProperties: false,
    required: ['file'],
    properties: {
      file: path('CSV, JSON, npy, npz or raw file.'),
      dtype: { type: 'string', enum: ['uint8', 'uint16', 'int32', 'int64', 'float32'], default: 'uint8', description: 'Element type of a raw file.' },
      column: { type: 'string', minLength: 1, description: 'Column of a CSV file, or array of an npz file.' },
      offset: { type: 'integer', minimum: 0, description: 'Bytes before the first label of a raw file.' },
    },
  },
};

const metric: Schema = {
  type: ['string', 'object'],
  description: 'top1, top5, sqnr, cosine, kl, maxError, map, auc, or a module of your own (./metric.mjs); as a map, with what turns outputs into detections or scores.',
  format: 'path-or-word',
  if: { type: 'object' },
  then: {
    title: 'a metric',
    additionalProperties: false,
    required: ['name'],
    properties: {
      name: { type: 'string', minLength: 1, format: 'path-or-word', description: 'top1, top5, sqnr, cosine, kl, maxError, map, auc, or a module.' },
      decode: path('Module whose default export turns the outputs of one sample into detections (map) or a score (auc).'),
      output: { type: 'string', minLength: 1, description: 'The output that counts; the first if absent.' },
    },
  },
};

/** How the numbers of a source are read and changed: for each input. */
const treatment: Readonly<Record<string, Schema>> = {
  preprocess,
  shape: { type: 'array', items: { type: 'integer', minimum: 0, maximum: 2147483647 }, maxItems: 16, description: 'Shape of one sample in a raw file; that of the input if absent.' },
  dtype: {
    type: 'string', enum: ['float32', 'float16', 'float64', 'uint8', 'int8', 'uint16', 'int16', 'uint32', 'int32', 'uint64', 'int64', 'bool'],
    description: 'Element type of a raw file; that of the input if absent.',
  },
  offset: { type: 'integer', minimum: 0, description: 'Bytes before the first sample of a raw file.' },
};

const rows = (description: string): Schema => ({ type: 'integer', minimum: 2, maximum: 1e9, description });

const settings: Readonly<Record<string, Schema>> = {
  samples: { type: 'integer', minimum: 1, maximum: 1e9, description: 'How many samples are used; all of them if absent.' },
  seed: { type: 'integer', minimum: 0, maximum: 4294967295, description: 'Seed with which samples are chosen, kept in order; the first ones are taken if absent.' },
  skip: { type: 'integer', minimum: 0, maximum: 1e9, description: 'How many samples are passed over first.' },
  every: rows('Takes one sample of so many: the first behind `skip`, and every such one after it.'),
  except: rows('Takes all samples that `every` with this number would not.'),
  batch: { type: 'integer', minimum: 1, maximum: 65536, description: 'Samples in one run, where the model allows.' },
  labels,
  metric,
};

/** One input of a reader with `inputs`. */
export const inputReader: Schema = {
  type: 'object',
  title: 'the reader of an input',
  additionalProperties: false,
  properties: { ...sources, value: fixedValue, ...treatment },
  oneOf: exactlyOne(...Object.keys(sources), 'value'),
};

/** One named reader under `data`. */
export const reader: Schema = {
  type: 'object',
  title: 'a reader',
  additionalProperties: false,
  properties: {
    ...sources,
    inputs: {
      type: 'object', title: 'readers by input', minProperties: 1, additionalProperties: { $ref: '#/definitions/inputReader' },
      description: 'One reader for each input of the model, by input name.',
    },
    ...treatment, ...settings,
  },
  oneOf: exactlyOne(...readerSources),
};
