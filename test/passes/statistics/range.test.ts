import { expect } from 'chai';
import { densityOf, noiseOf } from '../../../passes/statistics/density.ts';
import { gridOf } from '../../../passes/statistics/grid.ts';
import { bins, HistogramBuilder } from '../../../passes/statistics/histogram.ts';
import { clippingWeight, predictNoise, rangeOf } from '../../../passes/statistics/range.ts';
import type { RangeMethod, TensorStatistics } from '../../../passes/statistics/statistics.ts';

const int8 = { type: 'int8', symmetric: true } as const;
const uint8 = { type: 'uint8', symmetric: false } as const;

/** Values by the inverse of a distribution function, evenly over it: no chance involved. */
function spread(count: number, inverse: (share: number) => number): Float32Array {
  return Float32Array.from({ length: count }, (_, index) => inverse((index + 0.5) / count));
}

const laplace = (share: number): number => (share < 0.5 ? Math.log(2 * share) : -Math.log(2 * (1 - share)));
const samples: Readonly<Record<string, Float32Array>> = {
  laplace: spread(200000, laplace),
  'relu of laplace': spread(200000, (share) => Math.max(0, laplace(share))),
  'uniform from -1 to 3': spread(100000, (share) => 4 * share - 1),
  'with an outlier': Float32Array.from([...spread(100000, (share) => Math.max(0, laplace(share))), 90]),
  'all negative': spread(50000, (share) => -3 * share - 1),
};

function statisticsOf(elements: Float32Array): TensorStatistics {
  const [min, max] = elements.reduce(([low, high], element) => [Math.min(low, element), Math.max(high, element)], [Infinity, -Infinity]);
  const builder = new HistogramBuilder();
  builder.add(elements, Math.max(-min, max));
  return { count: elements.length, samples: 1, min, max, meanMin: min, meanMax: max, nan: 0, infinite: 0, histogram: builder.finish() };
}

/** Errors of quantizing each element. */
function measured(elements: Float32Array, range: { readonly min: number; readonly max: number }, format: typeof int8 | typeof uint8): { readonly rounding: number; readonly clipping: number; readonly shift: number } {
  const { scale, zeroPoint, low, high } = gridOf(range, format);
  let [rounding, clipping, shift] = [0, 0, 0];
  for (const x of elements) {
    const code = Math.round(x / scale) + zeroPoint;
    const error = scale * (Math.min(high, Math.max(low, code)) - zeroPoint) - x;
    if (code < low || code > high) clipping += error * error;
    else rounding += error * error;
    shift += error;
  }
  return { rounding: rounding / elements.length, clipping: clipping / elements.length, shift: shift / elements.length };
}

describe('ranges', () => {
  for (const [name, elements] of Object.entries(samples)) {
    const statistics = statisticsOf(elements);
    const magnitudes = Array.from(elements, Math.abs).sort((a, b) => a - b);
    const width = statistics.histogram!.range / bins;

    for (const format of [int8, uint8]) {
      it(`predicts the error of rounding and clipping of ${name} to ${format.type}`, () => {
        for (const share of [1, 0.5, 0.2]) {
          const range = { min: share * Math.min(0, statistics.min), max: share * Math.max(0, statistics.max) };
          const predicted = predictNoise(statistics, range, format);
          const direct = measured(elements, range, format);
          // Elements count as even within a bin; a grid of steps of less than a few bins sees the difference.
          const step = gridOf(range, format).scale;
          expect(predicted.rounding).to.be.closeTo(direct.rounding, 0.01 * direct.rounding + 0.02 * width * step, 'rounding');
          expect(predicted.clipping).to.be.closeTo(direct.clipping, 0.01 * direct.clipping + width * step, 'clipping');
          expect(predicted.shift).to.be.closeTo(direct.shift, 0.01 * Math.abs(direct.shift) + width / 4, 'shift');
        }
      });

      it(`finds what a search over all bounds finds for ${name} and ${format.type}`, () => {
        for (const [method, weight] of [['mse', 1], ['auto', clippingWeight]] as const) {
          const density = densityOf(statistics.histogram!, statistics.min, statistics.max);
          const error = (range: { readonly min: number; readonly max: number }): number => {
            const { rounding, clipping } = noiseOf(density, gridOf(range, format));
            return rounding + weight * clipping;
          };
          const found = error(rangeOf(statistics, method, format));
          let least = Infinity;
          const steps = 400;
          for (let step = 1; step <= steps; step++) {
            const share = step / steps;
            const whole = { min: Math.min(0, statistics.min), max: Math.max(0, statistics.max) };
            const bound = share * Math.max(-whole.min, whole.max);
            const candidates = format.symmetric ? [{ min: -bound, max: bound }]
              : [{ min: share * whole.min, max: share * whole.max }, { min: whole.min, max: share * whole.max }, { min: share * whole.min, max: whole.max }];
            for (const candidate of candidates) least = Math.min(least, error(candidate));
          }
          // The search is a geometric grid that is refined: a percent is what it may miss.
          expect(found).to.be.at.most(1.01 * least, method);
        }
      });
    }

    it(`keeps the percentile of ${name}`, () => {
      for (const percentile of [99, 99.9, 100]) {
        const exact = magnitudes[Math.ceil(magnitudes.length * percentile / 100) - 1]!;
        const { min, max } = rangeOf(statistics, 'percentile', int8, percentile);
        expect(min).to.equal(-max);
        // The upper edge of the bin that holds it, or what was seen; with 128 codes below zero, 127/128 of that holds all that is negative.
        const held = Math.max(statistics.max, -statistics.min * 127 / 128);
        expect(max).to.be.within(Math.min(exact, held), exact + width);
        const asymmetric = rangeOf(statistics, 'percentile', uint8, percentile);
        const lost = elements.reduce((count, element) => count + (element < asymmetric.min || element > asymmetric.max ? 1 : 0), 0);
        expect(lost).to.be.at.most((1 - percentile / 100) * elements.length + 1e-6);
      }
    });

    for (const method of ['min-max', 'mean-min-max', 'percentile', 'entropy', 'mse', 'auto'] as readonly RangeMethod[]) {
      it(`stays within what was seen of ${name}, with ${method}`, () => {
        const asymmetric = rangeOf(statistics, method, uint8);
        expect(asymmetric.min).to.be.within(Math.min(0, statistics.min), 0);
        expect(asymmetric.max).to.be.within(0, Math.max(0, statistics.max));
        expect(asymmetric.max - asymmetric.min).to.be.above(0);
        const symmetric = rangeOf(statistics, method, int8);
        expect(symmetric.min).to.equal(-symmetric.max);
        expect(symmetric.max).to.be.within(0, Math.max(-statistics.min, statistics.max));
      });
    }
  }

  it('clips an outlier: by share and shape far, by error as far as it pays', () => {
    const statistics = statisticsOf(samples['with an outlier']!);
    const bound = (method: RangeMethod): number => rangeOf(statistics, method, int8).max;
    expect(bound('percentile')).to.be.below(15);
    expect(bound('entropy')).to.be.below(15);
    expect(bound('mse')).to.be.within(60, 80);
    expect(bound('auto')).to.be.within(bound('mse'), 90);
    expect(bound('min-max')).to.equal(90);
  });

  it('is empty for nothing, for zeros, and for what has no finite element', () => {
    const none: TensorStatistics = { count: 0, samples: 3, min: 0, max: 0, meanMin: 0, meanMax: 0, nan: 2, infinite: 0, histogram: new HistogramBuilder().finish() };
    for (const method of ['min-max', 'percentile', 'entropy', 'mse', 'auto'] as const) {
      for (const statistics of [none, statisticsOf(new Float32Array(10))]) {
        for (const format of [int8, uint8]) expect(Object.values(rangeOf(statistics, method, format)).every((bound) => bound === 0), method).to.equal(true);
      }
    }
    expect(gridOf({ min: 0, max: 0 }, uint8).scale).to.equal(1);
  });

  it('refuses methods that need a histogram where there is none', () => {
    const bare: TensorStatistics = { count: 2, samples: 1, min: -1, max: 3, meanMin: -1, meanMax: 3, nan: 0, infinite: 0 };
    expect(rangeOf(bare, 'min-max', int8).max).to.equal(bare.max);
    expect(() => rangeOf(bare, 'entropy', int8)).to.throw().with.property('code', 'statistics/no-histogram');
  });
});
