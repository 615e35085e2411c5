import { join } from 'node:path';
import { expect } from 'chai';
import { openData } from '../../../compiler/data/open.ts';
import type { ReaderSettings } from '../../../compiler/data/settings.ts';
import { openModelFile } from '../../../compiler/files/model-file.ts';
import type { Metric } from '../../../compiler/metrics/metric.ts';
import { openMetric } from '../../../compiler/metrics/open.ts';
import { createRuntime, type OrtRuntime } from '../../../compiler/runtime/runtime.ts';
import { parseModel } from '../../../ir/text/index.ts';
import { root, shared } from '../../paths.ts';

const here = join(root, 'test/compiler/data');

interface Case {
  readonly model: string;
  readonly what: string;
  readonly data: ReaderSettings;
  /** Value of the metric in percent, as the catalogue of the models or the table of baselines gives it, rounded to `digits`. */
  readonly value: number;
  readonly digits: number;
  readonly count: number;
  readonly metric?: ReaderSettings['metric'];
  /** Percentage points that another resampling of the images may make. */
  readonly tolerance?: number;
}

const cifar = (set: string): ReaderSettings => ({ raw: `cifar10/${set}_u8_nhwc.bin`, shape: [32, 32, 3], dtype: 'uint8', labels: `cifar10/${set}_labels_u8.bin` });
const imagenet: ReaderSettings['preprocess'] = { preset: 'imagenet', from: 'nhwc' };
const tf: ReaderSettings['preprocess'] = { preset: 'tf', from: 'nhwc' };
const keywords: ReaderSettings = {
  raw: 'speech_commands_kws01/features_i8_1000x49x10.bin', shape: [49, 10, 1], dtype: 'int8', labels: 'speech_commands_kws01/labels_u8.bin',
  preprocess: { scale: 0.5847029089927673, mean: 83 * 0.5847029089927673 },
};
const people: ReaderSettings = { images: 'vww01/*.jpg', labels: 'vww01/labels.json', preprocess: 'zero-one' };
const thousand: ReaderSettings = { images: 'imagenet500/*.jpg', labels: 'name', preprocess: { preset: 'imagenet-caffe', resize: [256, 256], crop: [227, 227], mean: [104, 117, 123] } };

const cases: readonly Case[] = [
  { model: 'cifar10_resnet20', what: 'all', data: { ...cifar('lossless_test'), preprocess: imagenet }, value: 92.82, digits: 2, count: 557 },
  { model: 'cifar10_resnet56', what: 'all', data: { ...cifar('lossless_test'), preprocess: imagenet }, value: 94.43, digits: 2, count: 557 },
  { model: 'cifar10_resnet20b_dense', what: 'all', data: { ...cifar('lossless_test'), preprocess: tf }, value: 92.28, digits: 2, count: 557 },
  { model: 'cifar10_resnet20b_chsparse', what: 'JPEG images', data: { ...cifar('jpeg_test'), preprocess: tf }, value: 79.6, digits: 2, count: 1000 },
  { model: 'mlperf_tiny_ic_resnet8', what: 'all', data: { ...cifar('lossless_test'), preprocess: 'none' }, value: 89.95, digits: 2, count: 557 },
  { model: 'mlperf_tiny_ic_resnet8', what: 'the first 1000 of training', data: { ...cifar('lossless_train'), preprocess: 'none', samples: 1000 }, value: 92.8, digits: 2, count: 1000 },
  {
    model: 'mnist_cntk', what: 'the first 1000', value: 98.6, digits: 2, count: 1000,
    data: { raw: 'mnist/test3000_u8.bin', shape: [28, 28], dtype: 'uint8', labels: { file: 'mnist/test3000_labels_u8.bin', dtype: 'uint8' }, preprocess: 'none', samples: 1000 },
  },
  { model: 'mlperf_tiny_kws_dscnn', what: 'all', data: keywords, value: 91.5, digits: 2, count: 1000 },
  { model: 'mlperf_tiny_kws_dscnn', what: 'all but every fifth', data: { ...keywords, except: 5 }, value: 90.9, digits: 1, count: 800 },
  { model: 'mlperf_tiny_vww_mobilenetv1', what: 'all', data: people, value: 84.8, digits: 2, count: 1000 },
  // Resampling moves a handful of the images across a decision: Pillow gives 65.8 (bilinear), 66.2 (bicubic) and 67.4 (Lanczos) on all of them.
  { model: 'squeezenet10_deepcompressed', what: 'all but every fifth', data: { ...thousand, except: 5 }, value: 66.5, digits: 1, count: 400, tolerance: 0.5 },
  {
    model: 'magika_v3_3', what: 'all', value: 100, digits: 2, count: 76,
    data: { raw: 'magika_basic/tokens_u16_76x2048.bin', dtype: 'uint16', labels: { file: 'magika_basic/labels_u16.bin', dtype: 'uint16' }, preprocess: { dtype: 'int32' } },
  },
  { model: 'hand_keypoint_mlp', what: 'all', data: { raw: 'hand_keypoints/keypoint_f32_4000x42.bin', labels: 'hand_keypoints/keypoint_labels_u8.bin', batch: 500 }, value: 96.58, digits: 2, count: 4000 },
  {
    model: 'hand_history_lstm', what: 'all', value: 97.95, digits: 2, count: 4000,
    data: { inputs: { input: { raw: 'hand_keypoints/point_history_f32_4000x32.bin' }, score_threshold: { value: 0.5 } }, labels: 'hand_keypoints/point_history_labels_u8.bin', batch: 500 },
  },
  {
    model: 'yolox_nano', what: 'mAP over 128 images', value: 34.11, digits: 2, count: 128, tolerance: 0.3,
    data: { images: 'coco_val128/images/*.jpg', labels: 'coco_val128/labels.json', preprocess: { letterbox: 'top-left', order: 'bgr' } },
    metric: { name: 'map', decode: join(root, 'examples/models/readers/yolox-decode.mjs') },
  },
];

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const item of items) list.push(item);
  return list;
}

/** Every data set that has no accuracy to compare with: what its first sample must be. */
const readable: readonly { readonly what: string; readonly data: ReaderSettings; readonly input: string; readonly count: number | undefined; readonly read: number; readonly shape: readonly number[] }[] = [
  { what: 'ad01, sliding windows', input: 'float[N,196,640] x', data: { module: join(here, 'ad01.mjs') }, count: 56, read: 56, shape: [1, 196, 640] },
  { what: 'audio', input: 'float[N,576] x', data: { module: join(here, 'wav.mjs'), samples: 20 }, count: undefined, read: 20, shape: [20, 576] },
  {
    what: 'face_images', input: 'float[1,3,240,320] x', data: { images: 'face_images/*.jpg', preprocess: { resize: [240, 320], mean: 127, std: 128 }, samples: 3 },
    count: 3, read: 3, shape: [1, 3, 240, 320],
  },
];

describe('data beside the repository', () => {
  if (shared === undefined) {
    it('skipped: ../shared is not there');
    return;
  }
  const folder = join(shared, 'datasets');
  let runtime: OrtRuntime;
  before(() => { runtime = createRuntime(); });
  after(() => runtime.close());

  async function measure(model: string, settings: ReaderSettings, metric: Metric): Promise<{ value: number; count: number | undefined }> {
    const opened = openModelFile(join(shared!, 'models', `${model}.onnx`));
    try {
      const source = await openData('validation', settings, { model: opened.model, folder });
      const session = await runtime.open(opened.model, { optimization: 'all' });
      for await (const { feeds, size, labels } of source.batches()) await metric.add({ outputs: await session.run(feeds), size, labels });
      await session.release();
      return { value: metric.value(), count: source.count };
    } finally {
      opened.close();
    }
  }

  for (const { model, what, data, value, digits, count, metric = 'top1', tolerance = 0 } of cases) {
    it(`${model}, ${what}: ${value} %`, async () => {
      const found = await measure(model, data, (await openMetric(metric, folder))());
      expect(found.count).to.equal(count);
      if (tolerance === 0) expect(found.value.toFixed(digits)).to.equal(value.toFixed(digits));
      else expect(found.value).to.be.closeTo(value, tolerance);
    }).timeout(120_000);
  }

  for (const { what, data, input, count, read, shape } of readable) {
    it(`${what} can be read`, async () => {
      const model = parseModel(`<ir_version: 8, opset_import: ["": 17]> g (${input}) => (y) { y = Relu (x) }`);
      const source = await openData('data', data, { model, folder });
      expect(source.count).to.equal(count);
      const batches = await all(source.batches({ size: shape[0]! }));
      expect(batches.reduce((sum, { size }) => sum + size, 0)).to.equal(read);
      expect(batches[0]!.feeds.get('x')!.shape).to.deep.equal(shape);
      // Two reads give the same bytes.
      for await (const { feeds, first } of source.batches({ size: shape[0]!, last: shape[0]! })) expect(feeds.get('x')!.hash()).to.equal(batches[first]!.feeds.get('x')!.hash());
      if (what.startsWith('ad01')) expect(batches.flatMap(({ labels }) => labels!)).to.satisfy((labels: number[]) => labels.includes(0) && labels.includes(1));
    });
  }
});
