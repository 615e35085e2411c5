import type { Family } from './family.ts';

/** |γ| of the batch normalizations that a channel goes through (Liu et al. 2017). */
export const bnScale: Family = {
  aggregate: 'mean', normalize: 'mean',
  score(group, { model, weights }) {
    const own = new Set(group.channels.map(({ root }) => root));
    const scales = [...model.graph.walk()].filter((node) => node.is('BatchNormalization')).flatMap((node) => {
      const value = node.inputs[1]!;
      const ids = weights.along(value, 0);
      return ids?.some((id) => own.has(weights.rootOf(id))) === true ? [{ node, value, axis: 0, ids }] : [];
    });
    return scales.length === 0 ? 'has no BatchNormalization with constant scales behind it (`fold` with `batchNorm: false` keeps them)' : weights.scores(group, scales, (data) => Float64Array.from(data, Math.abs));
  },
};
