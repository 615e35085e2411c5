import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import sharp, { type Sharp } from 'sharp';
import { imageReader } from '../../../compiler/data/images.ts';
import { openData } from '../../../compiler/data/open.ts';
import type { PreprocessSettings } from '../../../compiler/data/settings.ts';
import { parseModel } from '../../../ir/text/index.ts';

type Pixels = Parameters<typeof sharp>[1] & object;

describe('image files', () => {
  let folder: string;
  before(() => { folder = mkdtempSync(join(tmpdir(), 'onnxpress-images-')); });
  after(() => { rmSync(folder, { recursive: true, force: true }); });

  const file = (name: string): string => join(folder, name);
  const image = (numbers: Uint8Array | Uint16Array, raw: NonNullable<Pixels['raw']>): Sharp => sharp(numbers, { raw });

  /** The one sample of a file, for an input with the channels last. */
  async function read(images: string, preprocess: PreprocessSettings = {}, input = 'float[N,H,W,C] x'): Promise<{ shape: readonly number[]; numbers: number[] }> {
    const model = parseModel(`<ir_version: 8, opset_import: ["": 17]> g (${input}) => () { }`);
    const source = await openData('d', { images, preprocess: { preset: 'none', layout: 'nhwc', ...preprocess } }, { model, folder });
    for await (const { feeds } of source.batches()) return { shape: feeds.get('x')!.shape, numbers: [...feeds.get('x')!.floats()] };
    throw new Error('no samples');
  }

  /** Rows of the picture 10 20 30 / 40 50 60 as stored, for each EXIF orientation (TIFF 6.0, tag 274), turned upright. */
  const orientations: readonly (readonly number[][])[] = [
    [[10, 20, 30], [40, 50, 60]], [[30, 20, 10], [60, 50, 40]], [[60, 50, 40], [30, 20, 10]], [[40, 50, 60], [10, 20, 30]],
    [[10, 40], [20, 50], [30, 60]], [[40, 10], [50, 20], [60, 30]], [[60, 30], [50, 20], [40, 10]], [[30, 60], [20, 50], [10, 40]],
  ];
  for (const [index, rows] of orientations.entries()) {
    it(`are turned upright: EXIF orientation ${index + 1}`, async () => {
      const pixels = Uint8Array.from([10, 20, 30, 40, 50, 60].flatMap((level) => [level, level, level]));
      await image(pixels, { width: 3, height: 2, channels: 3 }).withMetadata({ orientation: index + 1 }).tiff({ compression: 'none' }).toFile(file('turned.tiff'));
      const { shape, numbers } = await read('turned.tiff', { order: 'grey' });
      expect(shape).to.deep.equal([1, rows.length, rows[0]!.length, 1]);
      expect(numbers).to.deep.equal(rows.flat());
    });
  }

  it('give their colours whatever the alpha channel says, also when they are resized', async () => {
    // The left half is transparent white, the right one opaque.
    const pixels = Uint8Array.from(Array.from({ length: 16 }, (_, at) => (at % 4 < 2 ? [255, 255, 255, 0] : [200, 100, 50, 255])).flat());
    await image(pixels, { width: 4, height: 4, channels: 4 }).png().toFile(file('alpha.png'));
    await image(pixels.filter((_, at) => at % 4 < 3), { width: 4, height: 4, channels: 3 }).png().toFile(file('opaque.png'));
    for (const preprocess of [{}, { resize: [2, 2] }, { letterbox: true, resize: [2, 4] }, { resize: [3], crop: [2, 3] }] as const) {
      expect((await read('alpha.png', preprocess)).numbers, JSON.stringify(preprocess)).to.deep.equal((await read('opaque.png', preprocess)).numbers);
    }
  });

  it('of 16 bits give the upper eight', async () => {
    await image(Uint16Array.of(0x0102, 0x8080, 0xffff, 0x1234, 0x4567, 0xfedc), { width: 2, height: 1, channels: 3 }).toColourspace('rgb16').png().toFile(file('deep.png'));
    expect((await sharp(file('deep.png')).metadata()).depth).to.equal('ushort');
    const { numbers } = await read('deep.png');
    for (const [at, level] of [0x01, 0x80, 0xff, 0x12, 0x45, 0xfe].entries()) expect(numbers[at]).to.be.closeTo(level, 1);
  });

  it('in grey have three equal channels, or one', async () => {
    await image(Uint8Array.of(10, 200), { width: 2, height: 1, channels: 1 }).toColourspace('b-w').png().toFile(file('grey.png'));
    expect((await read('grey.png')).numbers).to.deep.equal([10, 10, 10, 200, 200, 200]);
    expect((await read('grey.png', { order: 'grey' })).numbers).to.deep.equal([10, 200]);
    expect((await read('grey.png', { letterbox: true, resize: [2, 2] })).numbers).to.deep.equal([10, 10, 10, 200, 200, 200, 114, 114, 114, 114, 114, 114]);
  });

  it('become grey in whole numbers, as Pillow does', async () => {
    await image(Uint8Array.of(1, 2, 3, 200, 100, 50, 0, 0, 255), { width: 3, height: 1, channels: 3 }).png().toFile(file('colours.png'));
    expect((await read('colours.png', { order: 'grey' }, 'uint8[N,1,3,1] x')).numbers).to.deep.equal([2, 124, 29]);
  });

  it('in CMYK become RGB', async () => {
    await image(new Uint8Array(192).fill(128), { width: 8, height: 8, channels: 3 }).toColourspace('cmyk').jpeg({ quality: 100 }).toFile(file('cmyk.jpg'));
    expect((await sharp(file('cmyk.jpg')).metadata()).space).to.equal('cmyk');
    const { shape, numbers } = await read('cmyk.jpg');
    expect(shape).to.deep.equal([1, 8, 8, 3]);
    // Print inks cannot make every colour: a grey stays one, and about as light.
    for (const level of numbers) expect(level).to.be.within(100, 140);
  });

  it('that are a thin line do not fill the memory', async () => {
    await sharp({ create: { width: 100000, height: 1, channels: 3, background: 'red' } }).png().toFile(file('thin.png'));
    const error: unknown = await read('thin.png', { resize: [256] }).catch((thrown: unknown) => thrown);
    expect(error).to.include({ code: 'data/image' }).with.property('message').that.includes('thin.png').and.includes('25600000');
  });

  it('need sharp', async () => {
    const error: unknown = await imageReader([], { kernel: 'linear' }, 'x', () => Promise.reject(new Error('Cannot find package'))).catch((thrown: unknown) => thrown);
    expect(error).to.include({ code: 'data/sharp' }).with.property('suggestion').that.includes('npm install sharp');
  });
});
