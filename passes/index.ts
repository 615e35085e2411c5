import { calibrate } from './calibrate.ts';
import { equalize } from './equalize.ts';
import { exportPass } from './export.ts';
import { fold } from './fold.ts';
import type { Pass } from './pass.ts';
import { quantizeDynamic } from './quantize-dynamic.ts';
import { quantizeInt8 } from './quantize-int8.ts';
import { structuredPrune } from './structured-prune.ts';

/** The built-in passes, in alphabetical order. A pass is registered by standing here. */
export const builtInPasses: readonly Pass[] = [calibrate, equalize, exportPass, fold, quantizeDynamic, quantizeInt8, structuredPrune];
