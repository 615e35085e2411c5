import { expect } from 'chai';
import { chart, symbolOf } from '../../../compiler/report/html/histogram.ts';
import type { ClassRecord } from '../../../passes/quantize/record.ts';

/** Eight bars over (0, 8]; heights are log(count + 1) over log(1000). */
const base: ClassRecord = {
  scale: 0.0625, zeroPoint: 0, range: [0, 4], holds: [0, 4], method: 'mse', seen: [0, 8],
  histogram: { from: 0, width: 1, zeros: 0, counts: [999, 999, 99, 9, 0, 0, 0, 9] },
};

function paths(scaleClass: ClassRecord, coarse = false): Record<string, string> {
  const found = symbolOf(scaleClass, 0, coarse)!.text.matchAll(/class="(\w+)" d="([^"]*)"/g);
  return Object.fromEntries([...found].map(([, name, path]) => [name!, path!]));
}

const labels = (scaleClass: ClassRecord): string[] => [...chart(scaleClass, 0).text.matchAll(/<span[^>]*>[^<]*(?:<sup>\d+<\/sup>)?<\/span>/g)].map(([span]) => span);

describe('the drawing of a distribution', () => {
  it('has bars at their places, thresholds, and what is clipped', () => {
    // The axis ends 5 % beyond 8: x = 1000 · value / 8.4.
    expect(paths(base)).to.deep.equal({
      grid: 'M0 65h1000M0 33h1000', bars: 'M0 100H0v-100H238v33H357v34H476v33H833v-33H952V100z', lost: 'M476 0H1000v100H476z', bound: 'M0 0v100M476 0v100',
    });
  });

  it('in half as many bars adds pairs', () => {
    // 1998, 108, 0 and 9 elements.
    expect(paths(base, true)['bars']).to.equal('M0 100H0v-100H238v38H476v62H714v-30H952V100z');
  });

  const cases: readonly (readonly [string, Partial<ClassRecord>, readonly RegExp[]])[] = [
    ['thresholds within what was seen', { holds: [0, 4] }, [/left:0%">0</, /left:47\.62%">4</, /min 0</, /right:4\.76%">max 8</]],
    ['a symmetric range of values with one sign', { holds: [-8.1, 8] }, [/left:0">◂ −8\.1</]],
    ['a range that is much wider than what was seen', { holds: [0, 100] }, [/right:0">100 ▸</]],
    ['a threshold near the right end', { holds: [0, 7.9] }, [/right:5\.95%">7\.9</]],
    ['both signs: zero is marked', { holds: [-4, 4], seen: [-8, 8] }, [/class="zero" style="left:50%">0</]],
  ];
  for (const [what, fields, expected] of cases) {
    it(`labels ${what}`, () => {
      const text = labels({ ...base, ...fields }).join('\n');
      for (const pattern of expected) expect(text).to.match(pattern);
    });
  }

  it('is left out where there is none', () => {
    const { scale, zeroPoint, range, holds, method } = base;
    const without: ClassRecord = { scale, zeroPoint, range, holds, method, seen: [0, 8] };
    expect(symbolOf(without, 0, false)).to.equal(undefined);
    expect(chart(without, 0).text).to.equal('<p>scale 0.0625, zero point 0; range 0 … 4 by mse; seen 0 … 8</p>');
  });
});
