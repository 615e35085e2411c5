import { createRequire } from 'node:module';
import { Diagnostic } from '../ir/diagnostic.ts';
import type { Target } from '../passes/target.ts';

/** The names of all targets; the first is the default. */
export const targetNames = ['portable', 'tensorrt-8', 'tensorrt-10', 'tensorrt-11', 'onnxruntime-cpu'] as const;

/** The name of a target, as recipes write it. */
export type TargetName = (typeof targetNames)[number];

const require = createRequire(import.meta.url);

/** True if there is a target of this name. */
export function isTargetName(name: string): name is TargetName {
  return (targetNames as readonly string[]).includes(name);
}

/** The facts of a target. Throws the Diagnostic `recipe/unknown-target` for any other name. */
export function loadTarget(name: string): Target {
  if (!isTargetName(name)) {
    throw new Diagnostic('recipe/unknown-target', `there is no target '${name}'`, {
      expected: targetNames,
      actual: name,
      suggestion: `Name one of ${targetNames.join(', ')}; 'portable' suits TensorRT 8 to 11.`,
    });
  }
  return require(`#specs/targets/${name}.json`) as Target;
}
