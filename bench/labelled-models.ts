/** Models of ../shared/models with labelled data: samples for calibration, and test rows that calibration never sees. Paths are seen from the repository's root. */
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';

export type Settings = Readonly<Record<string, unknown>>;
export type Data = readonly [calibration: Settings, validation: Settings];

export const shared: string = resolve(createRequire(import.meta.url).resolve('#specs/recipe.schema.json'), '../../../shared');
const data = (path: string): string => join(shared, 'datasets', path);

const cifar = (preprocess: Settings): Data => {
  const file = (part: string): Settings => ({ raw: data(`cifar10/lossless_${part}_u8_nhwc.bin`), shape: [32, 32, 3], dtype: 'uint8', preprocess: { from: 'nhwc', ...preprocess } });
  return [{ ...file('train'), samples: 100 }, { ...file('test'), labels: { file: data('cifar10/lossless_test_labels_u8.bin'), dtype: 'uint8' } }];
};

/** Every fifth row, at most 100 of them, and all others. */
const fifths = (rows: Settings): Data => [{ ...rows, every: 5, samples: 100 }, { ...rows, except: 5 }];

const mnist = (part: string): Settings => ({ raw: data(`mnist/${part}_u8.bin`), shape: [1, 28, 28], dtype: 'uint8', preprocess: 'none' });

export const labelledModels: Readonly<Record<string, Data>> = {
  mlperf_tiny_kws_dscnn: fifths({
    raw: data('speech_commands_kws01/features_i8_1000x49x10.bin'), shape: [49, 10, 1], dtype: 'int8', preprocess: { scale: 0.58470291, mean: 83 * 0.58470291 },
    labels: { file: data('speech_commands_kws01/labels_u8.bin'), dtype: 'uint8' },
  }),
  mlperf_tiny_vww_mobilenetv1: fifths({ images: data('vww01/*.jpg'), labels: data('vww01/labels.json'), preprocess: { preset: 'zero-one', resize: [96, 96] } }),
  mlperf_tiny_ic_resnet8: cifar({ preset: 'none' }),
  cifar10_resnet20: cifar({ preset: 'imagenet' }),
  cifar10_resnet20b_dense: cifar({ preset: 'tf' }),
  cifar10_resnet56: cifar({ preset: 'imagenet' }),
  squeezenet10_deepcompressed: fifths({
    images: data('imagenet500/*.[jJ]*'), labels: 'name', preprocess: { preset: 'none', resize: [256, 256], crop: [227, 227], order: 'bgr', mean: [104, 117, 123] },
  }),
  mnist_cntk: [{ ...mnist('train2000'), samples: 100 }, { ...mnist('test3000'), labels: { file: data('mnist/test3000_labels_u8.bin'), dtype: 'uint8' } }],
};
