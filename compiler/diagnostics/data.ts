import type { Explanation } from '../diagnostics.ts';

/** Codes of reading samples, labels and metrics. */
export const dataDiagnostics: Readonly<Record<string, Explanation>> = {
  'data/unknown': {
    title: 'A step asks for data that the recipe does not name.',
    text: 'Readers of samples have names under `data`, and options of passes refer to them: `with: { data: calibration }` needs `data: { calibration: { … } }`. Nothing stands in for missing data.',
  },
  'data/no-files': {
    title: 'A path or a glob finds no file.',
    text: `Paths are relative to the recipe. \`*\` and \`?\` stay inside one folder, \`**\` crosses folders, \`{jpg,png}\` are alternatives; upper and lower case count. Hidden files are found only by a pattern that writes their dot, and links to folders are not followed.

A folder alone is no pattern: write \`calib/**/*.jpg\`.`,
  },
  'data/unreadable': {
    title: 'A file with samples or labels cannot be read.',
    text: 'The message of the system says why. It may have been moved, or may lack permissions for whoever runs the compile.',
  },
  'data/image': {
    title: 'An image cannot be decoded, or cannot be brought to its size.',
    text: 'Damaged and truncated images are errors, since half an image is a wrong sample. JPEG, PNG, WebP, AVIF, TIFF and GIF are read. A crop must fit into the resized image.',
  },
  'data/sharp': {
    title: 'Images are asked for, and the package that reads them is missing.',
    text: `sharp is an optional dependency, left out by \`npm install --omit=optional\` and on platforms without a prebuilt library. All other readers work without it:

    npm install sharp`,
  },
  'data/npy': {
    title: 'A .npy file is damaged, or holds something other than plain numbers.',
    text: 'Arrays of floats of 16, 32 and 64 bits, integers and booleans are read, in either byte order, and row by row. Arrays of objects, records and texts are not, nor arrays in column order of more than one axis; samples lie along axis 0.',
  },
  'data/npz': {
    title: 'A .npz archive cannot be used.',
    text: 'It needs one array for each input of the model, under the name of the input, all with the same number of samples along axis 0. Archives are unpacked in memory and therefore limited to 2 GiB; .npy files are not.',
  },
  'data/tensor-proto': {
    title: 'A .pb file holds no tensor that can be read.',
    text: 'Each file holds one TensorProto, as in the test data of ONNX (`test_data_set_0/input_0.pb`), with the elements inside the file.',
  },
  'data/truncated': {
    title: 'A file ends in the middle of a sample.',
    text: 'A raw file is a whole number of samples behind its offset. Either it was not copied to its end, or `shape` (of one sample, without the batch), `dtype` or `offset` is wrong.',
  },
  'data/shape': {
    title: 'A sample does not have the shape that the input of the model wants.',
    text: `The message has both shapes. A sample is one row of the batch; axes of length one may be there or not. Images are brought to size by \`resize\`, \`crop\` or \`letterbox\`, or by a preset that crops. For files of numbers, \`from: nhwc\` says that channels come last where the model wants them first.

Samples of different shapes cannot share a batch: use \`batch: 1\`.`,
  },
  'data/dtype': {
    title: 'Numbers cannot become what the input of the model wants.',
    text: 'Without `preprocess`, arrays are handed over as they are, so their element type must be that of the input. With it (`none` changes nothing else) numbers are converted; integers must fit, and fractions are rounded to integers only if `dtype` names the type.',
  },
  'data/not-finite': {
    title: 'A sample holds NaN or an infinite number.',
    text: 'One such number makes every range, mean and accuracy worthless, so it is an error that names sample and place. A `std` of zero makes them as well.',
  },
  'data/inputs': {
    title: 'Readers and inputs of the model do not match.',
    text: `A model with several inputs needs a reader for each, by name:

    inputs: { audio: { npy: x.npy }, rate: { value: 16000 } }

A module, an npz archive and random data can also feed all inputs at once. The inputs must be tensors.`,
  },
  'data/count': {
    title: 'The readers of several inputs have different numbers of samples.',
    text: 'Row i of every reader under `inputs` belongs to sample i, so all of them must have equally many. `value` and `random` give as many as are wanted.',
  },
  'data/module': {
    title: 'A reader module does not do what is expected of one.',
    text: `Its default export is an iterator of samples, or a function that gives one; asynchronous or not. A sample is \`{ data, shape, label }\`, or \`{ feeds: { NAME: { data, shape } }, label }\` for several inputs; \`shape\` may be left out where the model states it:

    export default async function* ({ folder }) { yield { data: new Float32Array(640), label: 1 }; }`,
  },
  'data/labels': {
    title: 'A label is missing, or labels cannot be read.',
    text: 'Labels go by the order of the samples, or, in CSV and JSON files, by the names of files: a path, its end, or its end without the extension. `folder` needs images in folders, `name` a number in every file name.',
  },
  'data/label-count': {
    title: 'There are more or fewer labels than samples.',
    text: 'Labels belong to all rows of the source, before `skip`, `every`, `except` and `samples` choose among them. For a raw file of labels, `dtype` (uint8 if absent) and `offset` decide how many there are.',
  },
  'data/samples': {
    title: 'Fewer samples can be chosen than are needed or asked for.',
    text: 'As an error: none is left, or not enough for a single run of a model with a literal batch. As a warning: `samples` asks for more than there are, and all of them are used.',
  },
  'data/incomplete-batch': {
    title: 'The last samples do not fill a run of a model with a literal batch.',
    text: 'They are left out rather than padded, because a padded sample would count in statistics and accuracies. The number of samples in reports is without them.',
  },
  'data/random': {
    title: 'Random numbers stand in for samples.',
    text: 'They were asked for (`random: { seed: … }`), and are good for trying a recipe out. Ranges of random numbers are not those of real samples, so accuracy suffers; the report and the model record that they were used.',
  },
  'data/sizes': {
    title: 'The shapes under `inputs` give one symbolic dimension two sizes.',
    text: 'Axes with the same symbol have the same length in every run. Let `opt` of all inputs agree there.',
  },
  'data/metric': {
    title: 'A metric is unknown, or does not fit the model or its labels.',
    text: 'Built in are top1, top5, sqnr, cosine, kl, maxError, map and auc; a path names a module whose default export makes a metric. top1, top5, map and auc need labels, the others the outputs of the original model. map needs `decode`, a module that turns outputs into boxes.',
  },
};
