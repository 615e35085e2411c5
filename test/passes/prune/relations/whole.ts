import { expect } from 'chai';
import type { OrtRuntime } from '../../../../compiler/runtime/runtime.ts';
import { filled } from '../../../../compiler/testing/feeds.ts';
import { checkPermutation, checkRemoval, followed, randomRemoval, type Followed } from '../../../../compiler/testing/pruning.ts';
import { Editor } from '../../../../ir/edit.ts';
import { normalizeModel } from '../../../../ir/normalize.ts';
import { parseModel } from '../../../../ir/text/index.ts';
import type { HeadMode } from '../../../../passes/prune/flow.ts';
import { randomFrom } from '../../../../passes/random.ts';

/** A small model whose channels begin and end at weights. */
export interface Whole {
  readonly name: string;
  readonly opset: number;
  readonly graph: string;
  /** Channels that can be removed. */
  readonly free: number;
  /** Part of the reason why others stay. */
  readonly held?: RegExp;
  readonly heads?: HeadMode;
}

/** float32 sums of a few dozen terms in another order, through a few layers. */
const tolerance = 1e-5;

export async function opened({ name, opset, graph, heads }: Whole, runtime: OrtRuntime): Promise<Followed> {
  const model = parseModel(`<ir_version: 10, opset_import: ["" : ${opset}]> g ${graph}`, { name, fill: filled });
  normalizeModel(model, new Editor(model));
  return followed(model, runtime, heads);
}

/** Declares the tests of models: what can go, that removing it equals silencing its readers, and that its order does not matter. */
export function wholeAll(cases: readonly Whole[], runtime: () => OrtRuntime): void {
  for (const each of cases) {
    it(`${each.name}, opset ${each.opset}: the pruned model is the original with silent readers, in any order`, async () => {
      const { channels: { groups } } = await opened(each, runtime());
      const all = groups.flatMap(({ channels }) => channels);
      expect(all.filter(({ pin }) => pin === undefined).length, 'channels that can go').to.equal(each.free);
      if (each.held !== undefined) expect(all.map(({ pin }) => pin?.reason ?? ''), 'reasons').to.satisfy((reasons: string[]) => reasons.some((reason) => each.held!.test(reason)));
      if (each.free === 0) return;
      let removed = 0;
      for (let seed = 1; seed <= 6; seed++) {
        const subject = await opened(each, runtime());
        const chosen = randomRemoval(subject, 0.1 + 0.15 * (seed % 5), randomFrom(seed));
        removed += chosen.size;
        const { exact, relative, output } = await checkRemoval(subject, chosen, runtime(), seed);
        expect(exact, 'has an equal').to.equal(true);
        expect(relative, `selection ${seed}: ${output}`).to.be.at.most(tolerance);
      }
      expect(removed, 'channels removed').to.be.above(0);
      for (let seed = 1; seed <= 2; seed++) {
        const { relative, output } = await checkPermutation(await opened(each, runtime()), runtime(), seed);
        expect(relative, `order ${seed}: ${output}`).to.be.at.most(tolerance);
      }
    });
  }
}
