import { Diagnostic } from '../../ir/diagnostic.ts';
import type { Measurement } from '../pass.ts';
import type { Sensitivity } from './sensitivity.ts';

/** How far a model may fall behind, and at which price. */
export interface DropBudget {
  /** In the unit of the metric; percentage points for shares. */
  readonly maxDrop: number;
  /** Most layers that may stay float for it. */
  readonly maxFloatLayers: number;
  /** Measures the model with these layers in float. */
  readonly measure: (float: readonly Sensitivity[]) => Promise<Measurement>;
}

/** What the budget costs. */
export interface Fallback {
  readonly float: readonly Sensitivity[];
  /** With all layers in int8, and with those in float. */
  readonly before: Measurement;
  readonly after: Measurement;
}

/**
 * The layers to leave in float, the most sensitive ones first, so that the drop stays within its budget: twice as many until it does, then bisected, so that the number of measurements grows with the logarithm
 * of that of the layers. `ranking` is asked for only if the model with all layers in int8 misses the budget. Throws `quantize/max-drop` where the allowed number of layers does not do.
 */
export async function fallBack(before: Measurement, ranking: () => Promise<readonly Sensitivity[]>, { maxDrop, maxFloatLayers, measure }: DropBudget): Promise<Fallback> {
  if (before.drop <= maxDrop) return { float: [], before, after: before };
  const ranked = await ranking();
  const most = Math.min(maxFloatLayers, ranked.length);
  let [low, high] = [0, 0];
  let after = before;
  while (after.drop > maxDrop) {
    low = high;
    if (low >= most) throw missed(before, after, maxDrop, low, ranked);
    high = Math.min(most, Math.max(1, 2 * low));
    after = await measure(ranked.slice(0, high));
  }
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    const found = await measure(ranked.slice(0, middle));
    if (found.drop > maxDrop) low = middle;
    else [high, after] = [middle, found];
  }
  return { float: ranked.slice(0, high), before, after };
}

function missed(before: Measurement, after: Measurement, maxDrop: number, layers: number, ranked: readonly Sensitivity[]): Diagnostic {
  const some = ranked.slice(0, Math.min(layers, 3)).map(({ node }) => `'${node.name}'`).join(', ');
  const how = layers === 0 ? 'no layer may stay float' : `${layers} of ${ranked.length} layers in float (${some}${layers > 3 ? ', …' : ''}) only bring it to ${shown(after.drop)}`;
  return new Diagnostic('quantize/max-drop', `the model loses ${shown(before.drop)} of ${before.metric}, and ${how}`, {
    expected: [`a drop of at most ${shown(maxDrop)}`], actual: shown(after.drop),
    suggestion: 'Allow a larger `maxDrop`, or more `maxFloatLayers`; or calibrate on more samples, or round with `rounding: gptq`.',
  });
}

/** Three digits after the point at most. */
export function shown(drop: number): string {
  return String(Math.round(drop * 1000) / 1000);
}
