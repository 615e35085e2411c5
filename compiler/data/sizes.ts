import { Diagnostic } from '../../ir/diagnostic.ts';
import type { Model } from '../../ir/model.ts';
import { shapeOf } from '../../ir/type.ts';

/** The shapes of one input in the recipe's `inputs`, which fit the model. */
interface Profile {
  readonly shape?: readonly number[];
  readonly opt?: readonly number[];
}

/**
 * The sizes of symbolic dimensions at which the model mostly runs, from the profiles of its inputs (`opt`). Throws `data/sizes` if
 * two of them give one dimension different sizes.
 */
export function sizesOf(profiles: Readonly<Record<string, unknown>>, model: Model): Map<string, number> {
  const sizes = new Map<string, number>();
  for (const { name, type } of model.graph.inputs) {
    const { shape, opt = shape } = (Object.hasOwn(profiles, name) ? profiles[name] : {}) as Profile;
    for (const [axis, dim] of (shapeOf(type) ?? []).entries()) {
      const size = opt?.[axis];
      if (typeof dim !== 'string' || size === undefined) continue;
      if ((sizes.get(dim) ?? size) !== size) {
        throw new Diagnostic('data/sizes', `\`inputs\` gives the dimension ${dim} two sizes, ${sizes.get(dim)!} and ${size} in '${name}'`, {
          tensor: name, suggestion: 'Give inputs that share a dimension the same length there.',
        });
      }
      sizes.set(dim, size);
    }
  }
  return sizes;
}
