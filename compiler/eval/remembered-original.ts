import type { Model } from '../../ir/model.ts';
import type { Tensor } from '../../ir/tensor.ts';
import type { Feeds, Runtime, Session, SessionOptions } from '../../passes/runtime.ts';

/** Bytes of outputs that are kept. */
const most = 2 ** 26;

/**
 * A runtime that keeps what the original makes of feeds, up to a limit, while many candidates are compared with it: the same feeds do not run again, and the session is open only where some must.
 * The outputs depend on the optimisations, so that these must be the same at every opening.
 */
export function rememberingOriginal(runtime: Pick<Runtime, 'open'>, original: Model): Pick<Runtime, 'open'> {
  const known = new WeakMap<Feeds, Map<string, Tensor>>();
  let bytes = 0;
  return {
    open: (model, options) => (model === original ? Promise.resolve(originalSession(options)) : runtime.open(model, options)),
  };

  function originalSession(options: SessionOptions | undefined): Session {
    let opened: Promise<Session> | undefined;
    return {
      async run(feeds, signal) {
        const before = known.get(feeds);
        if (before !== undefined) return before;
        const outputs = await (await (opened ??= runtime.open(original, options))).run(feeds, signal);
        const size = [...outputs.values()].reduce((sum, { byteLength }) => sum + byteLength, 0);
        if (bytes + size <= most) {
          bytes += size;
          known.set(feeds, outputs);
        }
        return outputs;
      },
      async release() {
        await (await opened)?.release();
      },
    };
  }
}
