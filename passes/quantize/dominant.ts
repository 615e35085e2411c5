/** A layer that could stay float. */
export interface Candidate {
  /** Multiply-adds of one sample; undefined where they cannot be told. */
  readonly macs: number | undefined;
}

/** A layer that makes much of the noise. */
export interface Dominant<L> {
  readonly layer: L;
  /** Share of the noise that goes, 0 to 1, if this layer alone stays float. */
  readonly removed: number;
}

/** Noise with these layers in float and all others in int8: error power over power of the outputs. */
export type MeasureNoise<L> = (float: readonly L[]) => Promise<number>;

/** Noise that is little enough: at 30 dB classifiers agree with the original on 99 samples of 100, and float layers would buy nothing. */
export const quiet = 1e-3;

/** What a layer must remove of the noise of the model in int8 to be looked at: 1 dB. Where noise is spread evenly no layer of a deep model does. */
const noticed = 1 - 10 ** -0.1;

/** What it must still remove, beside those that are float already, to be worth it: half a decibel. */
const worthwhile = 1 - 10 ** -0.05;

/** What all of them together must remove: 2 dB, twice as much as measurements on a few samples are wrong by. */
const worthwhileTogether = 1 - 10 ** -0.2;

/** Most measurements of one search: enough for some layers among hundreds. */
const mostMeasurements = 24;

/**
 * The layers without each of which the noise is at least 1 dB less, as they are found: by halving, in the order given, always the part that removes most. A part that in float removes less holds none of them, so
 * that the number of measurements grows with the logarithm of that of the layers, times that of the places that noise comes from; there are about 24 at most.
 */
export async function dominantLayers<L>(layers: readonly L[], noise: number, measure: MeasureNoise<L>): Promise<Dominant<L>[]> {
  const found: Dominant<L>[] = [];
  const parts: { readonly first: number; readonly end: number; readonly removed: number }[] = [];
  let measurements = 0;
  const look = async (first: number, end: number): Promise<void> => {
    if (first === end) return;
    measurements++;
    const removed = 1 - await measure(layers.slice(first, end)) / noise;
    if (!(removed >= noticed)) return;
    if (end - first === 1) found.push({ layer: layers[first]!, removed });
    else parts.push({ first, end, removed });
  };
  await look(0, layers.length);
  while (parts.length > 0 && measurements < mostMeasurements) {
    const { first, end } = parts.sort((a, b) => b.removed - a.removed).shift()!;
    const middle = (first + end) >> 1;
    await look(first, middle);
    await look(middle, end);
  }
  return found;
}

/** Layers to leave in float, and what is left of the noise with them. */
export interface Spared<L> {
  /** In the order in which they were chosen; `removed` is the share of the noise that was left by then. */
  readonly float: readonly Dominant<L>[];
  readonly noise: number;
}

/**
 * The layers to leave in float so that the outputs of the model are less noisy. Of the dominant layers those that remove most for each multiply-add come first, as long as each one still removes half a decibel of
 * what is left and all stay within `maxMacs` multiply-adds; then what is left is searched again, until the noise is `quiet` or nothing is worth it. None if the noise is that low already, or if together
 * they remove less than 2 dB. `noise` is that of the model with all layers in int8.
 */
export async function spareNoisiest<L extends Candidate>(layers: readonly L[], noise: number, { maxMacs, measure }: { readonly maxMacs: number; readonly measure: MeasureNoise<L> }): Promise<Spared<L>> {
  const float: Dominant<L>[] = [];
  let [left, macs, searching] = [noise, 0, true];
  while (searching && left > quiet) {
    searching = false;
    const beside: MeasureNoise<L> = (some) => measure([...float.map(({ layer }) => layer), ...some]);
    const affordable = layers.filter((layer) => layer.macs !== undefined && macs + layer.macs <= maxMacs && !float.some((each) => each.layer === layer));
    const found = await dominantLayers(affordable, left, beside);
    found.sort((a, b) => b.removed * a.layer.macs! - a.removed * b.layer.macs!);
    for (const { layer, removed: alone } of found) {
      if (!(left > quiet) || macs + layer.macs! > maxMacs) continue;
      const removed: number = searching ? 1 - await beside([layer]) / left : alone;
      if (!(removed >= worthwhile)) continue;
      float.push({ layer, removed });
      [left, macs, searching] = [left * (1 - removed), macs + layer.macs!, true];
    }
  }
  return left <= noise * (1 - worthwhileTogether) ? { float, noise: left } : { float: [], noise };
}
