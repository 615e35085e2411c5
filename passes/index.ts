import { exportPass } from './export.ts';
import { fold } from './fold.ts';
import type { Pass } from './pass.ts';

/** The built-in passes, in alphabetical order. A pass is registered by standing here. */
export const builtInPasses: readonly Pass[] = [exportPass, fold];
