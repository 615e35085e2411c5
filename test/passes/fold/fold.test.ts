import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { testPass } from '../../../compiler/testing/index.ts';
import { fold } from '../../../passes/fold.ts';
import { root } from '../../paths.ts';

/** Folders of golden cases whose rewrites move no bit but the sign of a zero. In the others, sums are reordered: 1e-5 of the largest output. */
const exact = new Set(['branches', 'chains', 'constants', 'dead', 'duplicates', 'identities', 'shapes', 'transposes']);

const folder = join(root, 'test/passes/fold');

for (const { name } of readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isDirectory())) {
  describe(`fold: ${name}`, () => {
    testPass(fold, {
      folder: join(folder, name),
      ...(name === 'kernels' && { target: 'onnxruntime-cpu' as const }),
      tolerance: exact.has(name) ? 'exact' : 1e-5,
      invalid: [{ options: { maxGrowth: -1 }, code: 'recipe/out-of-range' }],
    });
  });
}
