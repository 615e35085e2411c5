import { performance } from 'node:perf_hooks';
import type { Instrument } from './instrument.ts';

/** Wall-clock time of each step in milliseconds, by step id. Never part of anything that must be reproducible. */
export interface Timing extends Instrument {
  readonly times: ReadonlyMap<string, number>;
}

/** Measures the time from `before` to the end of the step; put it last in the list, so that it measures the pass alone. */
export function timing(clock: () => number = () => performance.now()): Timing {
  const times = new Map<string, number>();
  let start = 0;
  return {
    times,
    before() { start = clock(); },
    after({ id }) { times.set(id, clock() - start); },
  };
}
