import { Diagnostic } from '../../ir/diagnostic.ts';
import { layoutOf, observedOf, type Artefact, type Distribution, type RunKey } from './artefact.ts';
import { bins, type Histogram } from './histogram.ts';
import type { RangeMethod } from './statistics.ts';

/**
 * The form of a file of statistics: the magic, the length of the header (uint32), the header as JSON padded with spaces to a multiple of 8 bytes, then float64 numbers, all little-endian.
 * The header says what was observed and which chunks there are; the numbers follow in that order: for each value count, nan, infinite, min, max and, with a histogram, its range, its zeros and
 * the counts of both halves up to the last bin that is not empty; for each value with channels the largest magnitudes; the sum; each chunk.
 */
const magic = 'onnxpress statistics 1\n\0';

/** Limits on what is read. */
const limits = { header: 2 ** 26, entries: 2 ** 20, histograms: 2 ** 15, name: 2 ** 16, numbers: 2 ** 29, chunks: 2 ** 24 } as const;

const methods: readonly RangeMethod[] = ['min-max', 'mean-min-max', 'percentile', 'entropy', 'mse', 'auto'];

interface Header extends RunKey {
  readonly tensors: readonly { readonly name: string; readonly histogram?: readonly [positive: number, negative: number] }[];
  readonly channels: readonly { readonly name: string; readonly axis: number; readonly size: number }[];
  readonly moments: readonly { readonly name: string; readonly groups: number; readonly size: number }[];
  readonly summed: number;
  readonly chunks: readonly number[];
}

/** The bytes of a file. Equal statistics give equal bytes. */
export function writeArtefact(artefact: Artefact): Uint8Array {
  const { key, tensors, channels, moments, summed, sum, chunks } = artefact;
  const { model, data, random, method, percentile, limit, batch, chunk } = key;
  const header: Header = {
    model, data, random, method, percentile, limit, batch, chunk,
    tensors: tensors.map(({ name, histogram }) => ({ name, ...(histogram !== undefined && { histogram: [filled(histogram.positive), filled(histogram.negative)] as const }) })),
    channels: channels.map(({ name, axis, absMax }) => ({ name, axis, size: absMax.length })),
    moments, summed, chunks: [...chunks.keys()],
  };
  const numbers = [
    ...tensors.flatMap(({ count, nan, infinite, min, max, histogram }) => [Float64Array.of(count, nan, infinite, min, max), ...(histogram === undefined ? [] : [
      Float64Array.of(histogram.range, histogram.zeros), histogram.positive.subarray(0, filled(histogram.positive)), histogram.negative.subarray(0, filled(histogram.negative)),
    ])]),
    ...channels.map(({ absMax }) => absMax), sum, ...chunks.values(),
  ];
  const text = new TextEncoder().encode(JSON.stringify(header));
  const start = aligned(magic.length + 4 + text.length);
  const bytes = new Uint8Array(start + 8 * numbers.reduce((total, { length }) => total + length, 0));
  bytes.set(new TextEncoder().encode(magic));
  const view = new DataView(bytes.buffer);
  view.setUint32(magic.length, start - magic.length - 4, true);
  bytes.fill(0x20, magic.length + 4, start);
  bytes.set(text, magic.length + 4);
  let at = start;
  for (const list of numbers) {
    for (const number of list) {
      view.setFloat64(at, number, true);
      at += 8;
    }
  }
  return bytes;
}

function filled(counts: Float64Array): number {
  return counts.findLastIndex((count) => count > 0) + 1;
}

function aligned(length: number): number {
  return Math.ceil(length / 8) * 8;
}

/** What a file says. `name` is how users know it. Throws `statistics/unreadable` for anything that `writeArtefact` would not have written. */
export function readArtefact(bytes: Uint8Array, name: string): Artefact {
  const text = new TextDecoder('latin1').decode(bytes.subarray(0, magic.length));
  if (text !== magic) throw unreadable(name, 'it does not begin as files of statistics do');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < magic.length + 4) throw unreadable(name, 'it is cut off');
  const length = view.getUint32(magic.length, true);
  const start = magic.length + 4 + length;
  if (length > limits.header || start > bytes.length || start % 8 !== 0) throw unreadable(name, 'it is cut off');
  const header = headerOf(bytes.subarray(magic.length + 4, start), name);
  const reader = new Numbers(view, start, name);
  const tensors = header.tensors.map((tensor): Distribution => {
    const [count, nan, infinite] = [reader.count(), reader.count(), reader.count()];
    const [min, max] = [reader.number(), reader.number()];
    const extremes = count === 0 ? min === Infinity && max === -Infinity : Number.isFinite(min) && Number.isFinite(max) && min <= max;
    if (!extremes) throw unreadable(name, `the extremes of '${tensor.name}' are impossible`);
    const histogram = tensor.histogram && histogramOf(reader, tensor.histogram);
    if (histogram !== undefined && total(histogram) !== count) throw unreadable(name, `the histogram of '${tensor.name}' does not add up`);
    return { name: tensor.name, count, nan, infinite, min, max, ...(histogram !== undefined && { histogram }) };
  });
  const channels = header.channels.map(({ name: value, axis, size }) => ({ name: value, axis, absMax: reader.finite(size) }));
  const { model, data, random, method, percentile, limit, batch, chunk, moments, summed, chunks } = header;
  const layout = layoutOf(observedOf({ tensors, channels, moments }));
  if (layout.length * (1 + chunks.length) !== reader.left) throw unreadable(name, 'it is cut off, or something follows it');
  return {
    key: { model, data, random, method, percentile, limit, batch, chunk }, tensors, channels, moments, summed,
    sum: reader.finite(layout.length), chunks: new Map(chunks.map((each) => [each, reader.finite(layout.length)])),
  };
}

function histogramOf(reader: Numbers, [positive, negative]: readonly [number, number]): Histogram {
  const range = reader.number();
  const half = (size: number): Float64Array => {
    const counts = new Float64Array(bins);
    for (let k = 0; k < size; k++) counts[k] = reader.count();
    return counts;
  };
  const isRange = range === 0 ? positive + negative === 0 : range >= 2 ** -100 && range <= 2 ** 128 && Number.isInteger(Math.log2(range));
  if (!isRange) throw unreadable(reader.name, 'the range of a histogram is no power of two');
  return { range, zeros: reader.count(), positive: half(positive), negative: half(negative) };
}

function total({ zeros, positive, negative }: Histogram): number {
  return zeros + positive.reduce((sum, count) => sum + count, 0) + negative.reduce((sum, count) => sum + count, 0);
}

/** Float64 numbers of a file, one after the other. */
class Numbers {
  readonly name: string;
  private readonly view: DataView;
  private at: number;

  constructor(view: DataView, at: number, name: string) {
    this.view = view;
    this.at = at;
    this.name = name;
  }

  /** How many there are still. */
  get left(): number {
    return (this.view.byteLength - this.at) / 8;
  }

  number(): number {
    if (this.left < 1) throw unreadable(this.name, 'it is cut off');
    const number = this.view.getFloat64(this.at, true);
    this.at += 8;
    return number;
  }

  /** A whole number from 0 on. */
  count(): number {
    const number = this.number();
    if (!Number.isSafeInteger(number) || number < 0) throw unreadable(this.name, `${number} is no count`);
    return number;
  }

  finite(count: number): Float64Array {
    if (count > this.left) throw unreadable(this.name, 'it is cut off');
    return Float64Array.from({ length: count }, () => {
      const number = this.number();
      if (!Number.isFinite(number)) throw unreadable(this.name, `${number} is no sum`);
      return number;
    });
  }
}

type Json = Readonly<Record<string, unknown>>;

function headerOf(bytes: Uint8Array, name: string): Header {
  let parsed: unknown;
  try {
    parsed = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    throw unreadable(name, 'its header is no JSON');
  }
  const wrong = (what: string): Diagnostic => unreadable(name, `its header has no valid ${what}`);
  const object = (value: unknown, what: string): Json => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) throw wrong(what);
    return value as Json;
  };
  const header = object(parsed, 'fields');
  const text = (value: unknown, what: string): string => {
    if (typeof value !== 'string' || value.length > limits.name) throw wrong(what);
    return value;
  };
  const whole = (value: unknown, what: string, least: number, most: number): number => {
    if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < least || value > most) throw wrong(what);
    return value;
  };
  const list = (value: unknown, what: string, most: number): readonly unknown[] => {
    if (!Array.isArray(value) || value.length > most) throw wrong(what);
    return value;
  };
  const named = <T extends { readonly name: string }>(what: string, read: (item: Json) => T): T[] => {
    const items = list(header[what], what, limits.entries).map((item) => read(object(item, what)));
    if (new Set(items.map((item) => item.name)).size < items.length) throw wrong(what);
    return items;
  };
  const method = methods.find((each) => each === header['method']);
  const { percentile, random } = header;
  if (method === undefined) throw wrong('method');
  if (typeof percentile !== 'number' || !(percentile >= 50 && percentile <= 100)) throw wrong('percentile');
  if (typeof random !== 'boolean') throw wrong('random');
  const chunks = list(header['chunks'], 'chunks', limits.chunks).map((chunk) => whole(chunk, 'chunks', 0, Number.MAX_SAFE_INTEGER));
  const summed = whole(header['summed'], 'summed', 0, Number.MAX_SAFE_INTEGER);
  if (chunks.some((chunk, index) => chunk <= (chunks[index - 1] ?? summed))) throw wrong('chunks');
  // Each is unpacked to all its bins, however few numbers the file has of it.
  let histograms = 0;
  return {
    model: text(header['model'], 'model'), data: text(header['data'], 'data'), random, method, percentile,
    limit: whole(header['limit'], 'limit', 0, Number.MAX_SAFE_INTEGER), batch: whole(header['batch'], 'batch', 1, 2 ** 31), chunk: whole(header['chunk'], 'chunk', 1, 2 ** 32),
    tensors: named('tensors', (item) => {
      const tensor = text(item['name'], 'tensors');
      if (item['histogram'] === undefined) return { name: tensor };
      if (++histograms > limits.histograms) throw wrong('histogram');
      const [positive, negative, ...more] = list(item['histogram'], 'histogram', 2).map((size) => whole(size, 'histogram', 0, bins));
      if (positive === undefined || negative === undefined || more.length > 0) throw wrong('histogram');
      return { name: tensor, histogram: [positive, negative] as const };
    }),
    channels: named('channels', (item) => (
      { name: text(item['name'], 'channels'), axis: whole(item['axis'], 'axis', 0, 64), size: whole(item['size'], 'size', 1, limits.numbers) }
    )),
    moments: named('moments', (item) => (
      { name: text(item['name'], 'moments'), groups: whole(item['groups'], 'groups', 1, limits.numbers), size: whole(item['size'], 'size', 1, 2 ** 16) }
    )),
    summed, chunks,
  };
}

function unreadable(file: string, why: string): Diagnostic {
  return new Diagnostic('statistics/unreadable', `${file} cannot be read as statistics: ${why}`, {
    file, suggestion: 'Name a file that `calibrate` or `onnxpress merge` wrote; if it is damaged, gather the statistics again.',
  });
}
