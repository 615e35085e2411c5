import { expect } from 'chai';
import fc from 'fast-check';
import { Diagnostic } from '../../../ir/diagnostic.ts';
import { Graph, Node } from '../../../ir/model.ts';
import type { Measurement } from '../../../passes/pass.ts';
import { fallBack, type Fallback } from '../../../passes/quantize/fallback.ts';
import type { Sensitivity } from '../../../passes/quantize/sensitivity.ts';

const graph = new Graph('layers');
const layers = (count: number): Sensitivity[] => Array.from({ length: count }, (_, index) => ({ node: new Node(graph, 'Conv', { name: `layer${index}` }), nodes: [], macs: 1, predicted: 1 / (1 + index), measured: undefined }));
const measured = (drop: number): Measurement => ({ metric: 'top1', value: 90 - drop, drop });

/** Falls back on `count` layers whose drop by the number of layers in float is `drops`. */
async function run(count: number, drops: (float: number) => number, maxDrop: number, maxFloatLayers = Infinity): Promise<{ readonly found: Fallback; readonly asked: readonly number[] }> {
  const asked: number[] = [];
  const found = await fallBack(measured(drops(0)), () => Promise.resolve(layers(count)), {
    maxDrop, maxFloatLayers,
    measure: (float) => {
      asked.push(float.length);
      return Promise.resolve(measured(drops(float.length)));
    },
  });
  return { found, asked };
}

describe('falling back to float within a budget', () => {
  it('finds the fewest layers where the drop falls from layer to layer, with about twice the logarithm of measurements', async () => {
    await fc.assert(fc.asyncProperty(fc.integer({ min: 1, max: 300 }), fc.integer({ min: 1, max: 300 }), async (count, wanted) => {
      fc.pre(wanted <= count);
      const { found, asked } = await run(count, (float) => (float >= wanted ? 0.25 : 1 - float / 1000), 0.25);
      expect(found.float.map(({ node }) => node.name)).to.deep.equal(layers(wanted).map(({ node }) => node.name));
      expect(found.after.drop).to.equal(0.25);
      expect(asked.length).to.be.at.most(2 * Math.ceil(Math.log2(wanted)) + 2);
      expect(new Set(asked).size).to.equal(asked.length);
    }), { numRuns: 200 });
  });

  it('ranks nothing if the model stays within its budget', async () => {
    const found = await fallBack(measured(0.3), () => Promise.reject(new Error('ranked')), { maxDrop: 0.3, maxFloatLayers: 1, measure: () => Promise.reject(new Error('measured')) });
    expect(found.float).to.deep.equal([]);
    expect(found.after).to.deep.equal(measured(0.3));
  });

  const refused: readonly (readonly [name: string, drops: (float: number) => number, maxFloatLayers: number, message: string])[] = [
    ['the allowed layers do not do', (float) => 5 - float, 3, "the model loses 5 of top1, and 3 of 9 layers in float ('layer0', 'layer1', 'layer2') only bring it to 2"],
    ['no layer may stay float', () => 5, 0, 'the model loses 5 of top1, and no layer may stay float'],
    ['not even all layers do', () => 5, Infinity, "the model loses 5 of top1, and 9 of 9 layers in float ('layer0', 'layer1', 'layer2', …) only bring it to 5"],
  ];
  for (const [name, drops, maxFloatLayers, message] of refused) {
    it(`says how far it came where ${name}`, async () => {
      const error: unknown = await run(9, drops, 1, maxFloatLayers).then(() => undefined, (reason: unknown) => reason);
      expect(Diagnostic.is(error) && [error.code, error.message]).to.deep.equal(['quantize/max-drop', message]);
    });
  }
});
