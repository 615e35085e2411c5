import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { zipSync } from 'fflate';
import { openLabels } from '../../../compiler/data/labels.ts';
import type { LabelSettings } from '../../../compiler/data/settings.ts';
import type { Label } from '../../../passes/data.ts';
import { npy } from './npy.ts';

const int64 = (...numbers: number[]): Uint8Array => new Uint8Array(BigInt64Array.from(numbers, BigInt).buffer);
const coco = {
  images: [{ id: 7, file_name: 'b.jpg' }, { id: 3, file_name: 'a.jpg' }],
  categories: [{ id: 90, name: 'z' }, { id: 5, name: 'y' }],
  annotations: [{ image_id: 3, category_id: 90, bbox: [1, 2, 10, 20], iscrowd: 1 }, { image_id: 3, category_id: 5, bbox: [0, 0, 4, 4], iscrowd: 0 }],
};

const files: Readonly<Record<string, string | Uint8Array>> = {
  'by-name.csv': 'split,file,label\ntrain,elsewhere/c.jpg,wolf\nval,images/b.jpg,dog\nval,images/a.jpg,cat\n',
  'texts.csv': 'file,label\nb.jpg,dog\na.jpg,cat\n',
  'numbers.csv': 'id,label\n2,20\n1,10\n',
  'rows.csv': 'row,label\n0,4\n1,5\n',
  'column.csv': 'a,b\n1,8\n2,9\n',
  'long.npy': npy('<i8', [2], int64(3, 4)),
  'pairs.npy': npy('|u1', [2, 2], Uint8Array.of(1, 2, 3, 4)),
  'column.npy': npy('|u1', [2, 1], Uint8Array.of(1, 2)),
  'two.npz': zipSync({ 'labels.npy': npy('|u1', [2], Uint8Array.of(5, 6)), 'coarse.npy': npy('>i2', [2], Uint8Array.of(0, 1, 0, 2)) }),
  'one.npz': zipSync({ 'anything.npy': npy('|b1', [2], Uint8Array.of(0, 1)) }),
  'idx.bin': Uint8Array.of(0, 0, 8, 1, 0, 0, 0, 2, 9, 8),
  'long.bin': Uint8Array.of(99, ...int64(-1, 2 ** 40)),
  'list.json': '[2, 1]',
  'listed.json': JSON.stringify([{ file: 'b.jpg', label: 1 }, { file_name: 'a.jpg', label: 0 }]),
  'map.json': JSON.stringify({ b: 1, a: 0 }),
  'coco.json': JSON.stringify(coco),
  'yolo.json': JSON.stringify({ images: { 'a.jpg': { size: [100, 50], boxes: [[2, 0.5, 0.5, 0.2, 0.4]] }, 'b.jpg': { size: [10, 10], boxes: [] } } }),
  'bomb.json': '{"images": [null], "annotations": [null]}',
  'no-box.json': JSON.stringify({ ...coco, annotations: [{ image_id: 3, category_id: 5 }] }),
  'no-size.json': '{"images": {"a.jpg": null, "b.jpg": {"boxes": 3}}}',
  'none.json': 'null',
  'broken.json': '{',
  'odd.bin': Uint8Array.of(1, 2, 3),
  'missing.csv': 'file,label\na.jpg,1\n',
};

describe('labels', () => {
  let folder: string;
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'onnxpress-labels-'));
    for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), content);
  });
  after(() => { rmSync(folder, { recursive: true, force: true }); });

  const images = ['images/a.jpg', 'images/b.jpg'];
  const read = async (settings: string | LabelSettings, names: readonly string[] = images): Promise<Label[]> => {
    const labels = await openLabels(settings, folder, { count: 2, names });
    return [0, 1].map((index) => labels.of(index, names[index]));
  };

  const good: readonly (readonly [what: string, settings: string | LabelSettings, names: readonly string[] | undefined, labels: readonly Label[]])[] = [
    ['folders, numbered in sorted order', 'folder', ['val/dogs/1.jpg', 'val/cats/1.jpg'], [1, 0]],
    ['the first number of a name', 'name', ['9/x12_7.jpg', '9/003.jpg'], [12, 3]],
    ['a CSV file by name, of a set that is larger', 'by-name.csv', images, [0, 1]],
    ['a CSV file of texts alone', 'texts.csv', images, [0, 1]],
    ['a CSV file by the number in place of a name', 'numbers.csv', ['1.jpg', '2.jpg'], [10, 20]],
    ['a CSV file by row, whose numbers are no names', 'rows.csv', ['1.jpg', '2.jpg'], [4, 5]],
    ['a column of a CSV file', { file: 'column.csv', column: 'a' }, undefined, [1, 2]],
    ['int64', 'long.npy', undefined, [3, 4]],
    ['a row of numbers for each sample', 'pairs.npy', undefined, [[1, 2], [3, 4]]],
    ['a column of numbers', 'column.npy', undefined, [1, 2]],
    ['an archive, by the usual name', 'two.npz', undefined, [5, 6]],
    ['an archive, by another name, big-endian', { file: 'two.npz', column: 'coarse' }, undefined, [1, 2]],
    ['an archive of one', 'one.npz', undefined, [0, 1]],
    ['raw numbers behind a header', { file: 'idx.bin', offset: 8 }, undefined, [9, 8]],
    ['raw int64 that do not lie on a multiple of 8', { file: 'long.bin', dtype: 'int64', offset: 1 }, undefined, [-1, 2 ** 40]],
    ['a JSON list', 'list.json', images, [2, 1]],
    ['a JSON list with names', 'listed.json', images, [0, 1]],
    ['a JSON map', 'map.json', images, [0, 1]],
    ['COCO annotations, classes in the order of their ids', 'coco.json', images, [{ boxes: [{ class: 1, box: [1, 2, 11, 22], crowd: true }, { class: 0, box: [0, 0, 4, 4] }] }, { boxes: [] }]],
    ['relative boxes', 'yolo.json', images, [{ boxes: [{ class: 2, box: [40, 15, 60, 35] }] }, { boxes: [] }]],
  ];
  for (const [what, settings, names, labels] of good) {
    it(`are read from ${what}`, async () => { expect(await read(settings, names)).to.deep.equal(labels); });
  }

  const bad: readonly (readonly [settings: string | LabelSettings, says: RegExp, names?: readonly string[]])[] = [
    ['folder', /in no folder/, ['a.jpg', 'b.jpg']],
    ['name', /no number/, images],
    ['missing.csv', /no label for images\/b\.jpg/, images],
    [{ file: 'column.csv', column: 'z' }, /no column 'z', only a, b/],
    [{ file: 'two.npz', column: 'z' }, /no array 'z', only labels, coarse/],
    [{ file: 'odd.bin', dtype: 'uint16' }, /3 bytes/],
    ['bomb.json', /no sound annotations/, images],
    ['no-box.json', /no sound annotations/, images],
    ['no-size.json', /no sound annotations/, images],
    ['none.json', /neither a list nor a map/],
    ['broken.json', /no JSON/],
  ];
  for (const [settings, says, names] of bad) {
    it(`data/labels: ${JSON.stringify(settings)}`, async () => {
      const error: unknown = await openLabels(settings, folder, { count: 2, names }).then((labels) => [0, 1].map((index) => labels.of(index, names?.[index]))).catch((thrown: unknown) => thrown);
      expect(error).to.include({ code: 'data/labels' }).with.property('message').that.matches(says);
    });
  }

  it('data/unreadable: a folder, or nothing', async () => {
    for (const name of ['.', 'nothing.csv']) {
      expect(await openLabels(name, folder, { count: 2 }).catch((thrown: unknown) => thrown)).to.include({ code: 'data/unreadable' });
    }
  });
});
