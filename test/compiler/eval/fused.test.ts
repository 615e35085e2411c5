import { expect } from 'chai';
import { fusedLoss, isForKernels } from '../../../compiler/eval/fused.ts';
import { createRuntime, type OrtRuntime } from '../../../compiler/runtime/runtime.ts';
import { parseModel } from '../../../ir/text/index.ts';
import { Tensor } from '../../../ir/tensor.ts';
import type { DataSource } from '../../../passes/data.ts';
import type { Runtime } from '../../../passes/runtime.ts';

const float = parseModel('<ir_version: 8, opset_import: ["": 17]> main (float[1,4] x) => (float[1,4] y) { y = Identity (x) }');
const pair = (type: string): ReturnType<typeof parseModel> => parseModel(`<ir_version: 8, opset_import: ["": 17]>
main (float[1,4] x) => (float[1,4] y) <float s = {0.0078125}, ${type} z = {0}> { q = QuantizeLinear (x, s, z)
  y = DequantizeLinear (q, s, z) }`);

const source: DataSource = {
  name: 'four', count: 1, key: 'four', random: false, metric: undefined,
  async *batches() { yield await Promise.resolve({ feeds: new Map([['x', Tensor.of('float', [0.1, 0.2, 0.3, 0.9], [1, 4])]]), size: 1, first: 0 }); },
};

describe('fused accuracy', () => {
  let runtime: OrtRuntime;
  before(() => { runtime = createRuntime(); });
  after(() => runtime.close());

  /** A runtime whose kernels multiply what a quantized model computes by a factor. */
  const flawed = (factor: number): Runtime => ({
    ...runtime,
    open: async (model, options) => {
      const session = await runtime.open(model, options);
      if (options?.optimization !== 'all' || !isForKernels(model)) return session;
      return { ...session, release: () => session.release(), run: async (feeds) => new Map([...await session.run(feeds)].map(([name, tensor]) => [name, Tensor.of('float', tensor.floats().map((x) => x * factor), tensor.shape)])) };
    },
  });
  const loss = (model: typeof float, factor: number): ReturnType<typeof fusedLoss> => fusedLoss({ name: 'a', model: float }, { name: 'b', model }, source, { runtime: flawed(factor) });

  it('is no concern where kernels compute what the file says', async () => { expect(await loss(pair('uint8'), 1)).to.equal(undefined); });
  it('is warned of where they fall behind', async () => {
    const warning = await loss(pair('uint8'), 0.5);
    expect(warning).to.include({ code: 'eval/fused-accuracy', severity: 'warning' });
    // Half of the signal is missing: 6.0 dB, and 6.1 with rounding.
    expect(warning!.message).to.match(/^'b' reaches 6\.[01] dB .* and \d\d\.\d dB as its file has it$/);
  });
  it('is not looked at in files that the kernels do not take', async () => { expect(await loss(pair('int8'), 0.5)).to.equal(undefined); });
});
