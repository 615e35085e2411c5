import type { Target } from '../../passes/target.ts';
import type { EvaluateOptions } from './evaluate.ts';

/** How ONNX Runtime measures accuracy for a target: as it runs the file itself where it is the target, and else as the file says, operator by operator. */
export function optimizationFor({ runsOn }: Target): NonNullable<EvaluateOptions['optimization']> {
  return runsOn === 'onnxruntime' ? 'all' : 'disabled';
}
