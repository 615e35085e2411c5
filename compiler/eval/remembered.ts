import type { Batch, BatchOptions, DataSource } from '../../passes/data.ts';

/** Bytes of samples that are kept. */
const most = 2 ** 26;

/** The same data, which keep their samples from the first full reading on, if there are not too many: decoding images over and over takes longer than running small models. */
export function remembered(source: DataSource): DataSource {
  let kept: readonly Batch[] | undefined;
  return {
    name: source.name, count: source.count, key: source.key, random: source.random, metric: source.metric,
    async *batches(options: BatchOptions = {}): AsyncIterable<Batch> {
      const whole = options.size === undefined && options.first === undefined && options.last === undefined;
      if (whole && kept !== undefined) {
        for (const batch of kept) {
          options.signal?.throwIfAborted();
          yield batch;
        }
        return;
      }
      let read: Batch[] | undefined = whole ? [] : undefined;
      let bytes = 0;
      for await (const batch of source.batches(options)) {
        for (const { byteLength } of batch.feeds.values()) bytes += byteLength;
        if (bytes > most) read = undefined;
        read?.push(batch);
        yield batch;
      }
      kept = read;
    },
  };
}
