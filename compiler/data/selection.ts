import { randomFrom } from '../../passes/random.ts';
import type { ReaderSettings } from './settings.ts';

/** Which rows of a source are samples. */
export type Selection = Pick<ReaderSettings, 'skip' | 'every' | 'except' | 'samples' | 'seed'>;

/** Whether row `index` is a candidate: the rows from `skip` on, of which `every: n` takes those number 0, n, 2n, … and `except: n` all others. */
export function isCandidate(index: number, { skip = 0, every, except }: Selection): boolean {
  const row = index - skip;
  return row >= 0 && (every === undefined || row % every === 0) && (except === undefined || row % except !== 0);
}

/** How many of the first `count` rows are candidates. */
export function candidates(count: number, { skip = 0, every = 1, except }: Selection): number {
  const rows = Math.max(0, count - skip);
  const taken = Math.ceil(rows / every);
  return except === undefined || rows === Infinity ? taken : taken - Math.ceil(rows / leastCommonMultiple(every, except));
}

function leastCommonMultiple(a: number, b: number): number {
  let [large, small] = [a, b];
  while (small > 0) [large, small] = [small, large % small];
  return (a / large) * b;
}

/**
 * The chosen rows of a source of `count`, in their order: all candidates; the first `samples` of them; or with a seed `samples` of them drawn
 * without replacement (selection sampling, Knuth TAOCP 2 §3.4.2, algorithm S). `count` may be Infinity if `samples` is given; the first ones are taken then.
 */
export function chosenRows(count: number, selection: Selection): number[] {
  const { skip = 0, samples = Infinity, seed } = selection;
  const open = candidates(count, selection);
  const random = seed === undefined || count === Infinity || samples >= open ? undefined : randomFrom(seed);
  const rows: number[] = [];
  let left = open;
  for (let index = skip; index < count && rows.length < samples; index++) {
    if (!isCandidate(index, selection)) continue;
    if (random === undefined || random() * left < samples - rows.length) rows.push(index);
    left--;
  }
  return rows;
}
