import type { Instrument } from './instrument.ts';

/** Says on one line of a terminal which step runs and how far it is; the line is wiped when a step ends. Not for logs: only terminals overwrite lines. */
export function progress(write: (text: string) => void, total: number, columns = 80): Instrument {
  const wipe = '\r\u001B[K';
  // Some terminals say 0 where they do not know.
  const width = (columns || 80) - 1;
  const line = (text: string): void => { write(wipe + text.slice(0, width)); };
  return {
    before({ id, number }) { line(`[${number}/${total}] ${id}`); },
    progress({ id, number }, done, all, what) {
      line(`[${number}/${total}] ${id} ${Math.floor((100 * done) / Math.max(all, 1))} %${what === undefined ? '' : ` ${what}`}`);
    },
    after() { write(wipe); },
    failed() { write(wipe); },
  };
}
