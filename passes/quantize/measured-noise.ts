import { isFloat } from '../../ir/dtype.ts';
import type { Model } from '../../ir/model.ts';
import type { PassContext } from '../pass.ts';
import type { Feeds } from '../runtime.ts';

/** What reading samples and running models on them takes. */
export type Measuring = Pick<PassContext<unknown>, 'data' | 'runtime' | 'signal'>;

/** Samples on which noise is measured: the figures of fewer depend on which ones they are, by 2 dB with eight samples of CIFAR-10. */
export const measuredSamples = 16;

/** Measures by how much the outputs of changed copies of a model differ from its own, on the first samples of some data. */
export class NoiseMeter {
  private readonly samples: readonly Feeds[];
  private readonly reference: readonly Feeds[];
  private readonly context: Measuring;

  private constructor(samples: readonly Feeds[], reference: readonly Feeds[], context: Measuring) {
    this.samples = samples;
    this.reference = reference;
    this.context = context;
  }

  /** Reads the samples and runs the model. Throws `data/unknown`, and what data and runtime throw. */
  static async of(model: Model, data: string, context: Measuring): Promise<NoiseMeter> {
    const samples: Feeds[] = [];
    for await (const { feeds } of (await context.data(data)).batches({ last: measuredSamples, signal: context.signal })) samples.push(feeds);
    return new NoiseMeter(samples, await outputsOf(model, samples, context), context);
  }

  /** Error power over power of a float output, Σ (y − ŷ)² / Σ y² in float64: the mean over the outputs. 0 where there is none. */
  async noise(model: Model): Promise<number> {
    return noiseBetween(this.reference, await outputsOf(model, this.samples, this.context));
  }
}

/** Signal over noise in dB with two digits; null for no noise, and for what is not known. */
export function decibels(noise: number | undefined): number | null {
  return noise === undefined || !(noise > 0) ? null : Math.round(-1000 * Math.log10(noise)) / 100;
}

async function outputsOf(model: Model, samples: readonly Feeds[], { runtime, signal }: Measuring): Promise<Feeds[]> {
  const session = await runtime.open(model);
  try {
    const outputs: Feeds[] = [];
    for (const feeds of samples) outputs.push(await session.run(feeds, signal));
    return outputs;
  } finally {
    await session.release();
  }
}

function noiseBetween(reference: readonly Feeds[], outputs: readonly Feeds[]): number {
  let [total, count] = [0, 0];
  for (const [name, { dtype }] of reference[0] ?? []) {
    if (!isFloat(dtype)) continue;
    let [signal, noise] = [0, 0];
    for (const [index, feeds] of reference.entries()) {
      const [expected, found] = [feeds.get(name)!.floats(), outputs[index]!.get(name)!.floats()];
      // Outputs whose number depends on the values cannot be compared one by one.
      for (let at = 0; at < Math.min(expected.length, found.length); at++) {
        signal += expected[at]! ** 2;
        noise += (expected[at]! - found[at]!) ** 2;
      }
    }
    if (!(signal > 0)) continue;
    total += noise / signal;
    count++;
  }
  return count === 0 ? 0 : total / count;
}
