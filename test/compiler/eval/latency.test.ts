import { expect } from 'chai';
import { measureLatency } from '../../../compiler/eval/latency.ts';
import type { Session } from '../../../passes/runtime.ts';

describe('latency', () => {
  it('runs models in turn, leaves the first runs out, and takes the median', async () => {
    let clock = 0;
    const turns: string[] = [];
    const session = (name: string, times: readonly number[]): Session => {
      let run = 0;
      return {
        run() {
          turns.push(name);
          clock += times[run++]!;
          return Promise.resolve(new Map());
        },
        release: () => Promise.resolve(),
      };
    };
    const found = await measureLatency([session('a', [90, 1, 5, 2, 4]), session('b', [80, 7, 7, 9, 100])], new Map(), { warmUp: 1, runs: 4, now: () => clock });
    expect(turns.join('')).to.equal('ababababab');
    expect(found).to.deep.equal([{ median: 3, fastest: 1, runs: 4 }, { median: 8, fastest: 7, runs: 4 }]);
  });
});
