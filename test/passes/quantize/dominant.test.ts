import { expect } from 'chai';
import fc from 'fast-check';
import { dominantLayers, quiet, spareNoisiest, type Candidate, type Spared } from '../../../passes/quantize/dominant.ts';

interface Layer extends Candidate {
  readonly name: string;
  readonly noise: number;
}

const layer = (name: string, noise: number, macs = 1): Layer => ({ name, noise, macs });
const total = (layers: readonly Layer[]): number => layers.reduce((sum, { noise }) => sum + noise, 0);

/** Noise of layers that adds up. */
function measuring(layers: readonly Layer[]): { readonly measure: (float: readonly Layer[]) => Promise<number>; readonly asked: number[] } {
  const asked: number[] = [];
  return { asked, measure: (float) => {
    asked.push(float.length);
    return Promise.resolve(total(layers.filter((each) => !float.includes(each))));
  } };
}

async function spare(layers: readonly Layer[], maxMacs = 1): Promise<Spared<Layer> & { readonly names: readonly string[]; readonly measurements: number }> {
  const { measure, asked } = measuring(layers);
  const spared = await spareNoisiest(layers, total(layers), { maxMacs, measure });
  return { ...spared, names: spared.float.map(({ layer: { name } }) => name), measurements: asked.length };
}

const even = (count: number, noise: number): Layer[] => Array.from({ length: count }, (_, index) => layer(`even${index}`, noise / count));

describe('layers that make most of the noise', () => {
  it('finds one among many wherever it stands, with about twice the logarithm of measurements', async () => {
    await fc.assert(fc.asyncProperty(fc.integer({ min: 1, max: 300 }), fc.nat(), async (count, place) => {
      const layers = even(count, 0.005);
      const loud = layer('loud', 0.01);
      layers.splice(place % (count + 1), 0, loud);
      const { measure, asked } = measuring(layers);
      const found = await dominantLayers(layers, total(layers), measure);
      // Beside 'loud' a lone quiet layer makes a third of the noise, and one of two a sixth.
      expect(found.map((each) => each.layer.name)).to.have.members(count === 1 ? ['loud', 'even0'] : ['loud']);
      expect(found.find((each) => each.layer === loud)!.removed).to.be.closeTo(2 / 3, 1e-9);
      // Beside the way to it, halves of the rest with a fifth of the noise or more are looked into.
      expect(asked.length).to.be.at.most(2 * Math.ceil(Math.log2(count + 1)) + 3);
    }), { numRuns: 200 });
  });

  it('stops early where the noise is spread evenly, however many layers there are', async () => {
    for (const count of [64, 1024]) {
      const { float, noise, measurements } = await spare(even(count, 0.01), count);
      expect(float).to.deep.equal([]);
      expect(noise).to.be.closeTo(0.01, 1e-12);
      expect(measurements).to.be.at.most(15);
    }
  });

  it('measures nothing where the noise is low', async () => {
    expect(await spare([layer('all', quiet)])).to.deep.include({ names: [], noise: quiet, measurements: 0 });
  });

  it('leaves in float what removes most for each multiply-add, within its share', async () => {
    const layers = [layer('dear', 0.05, 10), layer('cheap', 0.06, 1), ...even(8, 0.03)];
    expect((await spare(layers, 20)).names).to.deep.equal(['cheap', 'dear']);
    expect((await spare(layers, 10)).names).to.deep.equal(['cheap']);
    expect((await spare(layers, 0.5)).names).to.deep.equal([]);
  });

  it('takes no layer whose multiply-adds are not known, and any that has none', async () => {
    expect((await spare([{ name: 'unknown', noise: 0.05, macs: undefined }, ...even(2, 0.001)], 1)).names).to.deep.equal([]);
    expect((await spare([layer('addition', 0.05, 0), ...even(2, 0.001)], 0)).names).to.deep.equal(['addition']);
  });

  it('searches again beside what is float already, and tells what each layer removed of what was left', async () => {
    const layers = [layer('second', 0.1), ...even(4, 0.02), layer('first', 0.9)];
    const { names, float, noise } = await spare(layers, 2);
    expect(names).to.deep.equal(['first', 'second']);
    expect(float[0]!.removed).to.be.closeTo(0.9 / 1.02, 1e-9);
    expect(float[1]!.removed).to.be.closeTo(0.1 / 0.12, 1e-9);
    expect(noise).to.be.closeTo(0.02, 1e-9);
  });

  it('stops when the noise is low enough', async () => {
    expect((await spare([layer('first', 0.01), layer('second', 0.006), layer('rest', 0.0005)], 3)).names).to.deep.equal(['first', 'second']);
    expect((await spare([layer('first', 0.001), layer('second', 0.0004), layer('rest', 0.0001)], 3)).names).to.deep.equal(['first']);
  });

  it('leaves nothing in float for less than 2 dB', async () => {
    // 10^-0.2 = 0.631 of the noise must not be left.
    expect((await spare([layer('loud', 0.0036), ...even(8, 0.0064)], 1)).names).to.deep.equal([]);
    expect((await spare([layer('loud', 0.0038), ...even(8, 0.0062)], 1)).names).to.deep.equal(['loud']);
  });
});
