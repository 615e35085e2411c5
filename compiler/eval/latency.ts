import type { Feeds, Session } from '../../passes/runtime.ts';

/** Time of one run, in milliseconds. */
export interface Latency {
  readonly median: number;
  readonly fastest: number;
  readonly runs: number;
}

export interface LatencyOptions {
  readonly warmUp?: number;
  readonly runs?: number;
  readonly signal?: AbortSignal;
  /** Milliseconds since some moment. */
  readonly now?: () => number;
}

/**
 * Runs all sessions on the same feeds in turn (A B A B …), so that what else the machine does meets them alike, and gives the median time of
 * each. The first runs of each are not counted.
 */
export async function measureLatency(sessions: readonly Session[], feeds: Feeds, { warmUp = 3, runs = 20, signal, now = () => performance.now() }: LatencyOptions = {}): Promise<Latency[]> {
  const times = sessions.map((): number[] => []);
  for (let run = -warmUp; run < runs; run++) {
    for (const [index, session] of sessions.entries()) {
      const start = now();
      await session.run(feeds, signal);
      if (run >= 0) times[index]!.push(now() - start);
    }
  }
  return times.map((list) => {
    const sorted = list.toSorted((a, b) => a - b);
    const middle = sorted.length / 2;
    return { median: (sorted[Math.ceil(middle) - 1]! + sorted[Math.floor(middle)]!) / 2, fastest: sorted[0]!, runs };
  });
}
