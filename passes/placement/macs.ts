import { costOf } from '../cost.ts';
import type { Flow } from './flow.ts';
import { isQuantizedAlready, type KernelContext } from './kernels.ts';
import { roleOf } from './roles.ts';

/**
 * Multiply-adds of nodes with constant weights: of those in int8, and of all that are float now and selected, whether or not the target has a kernel for
 * them and the recipe wants it. Those whose shapes are not known count 0.
 */
export function macsOf(flow: Flow, { view, options }: KernelContext): { int8: number; eligible: number } {
  let [int8, eligible] = [0, 0];
  for (const node of view.order) {
    if (roleOf(node) !== 'weighted' || !(options.select(node) || options.spared?.(node) === true) || isQuantizedAlready(node)) continue;
    if (view.variable(node).length !== 1 || !node.inputs.some((value) => value?.constant !== undefined)) continue;
    const macs = costOf(node, options.sizes).macs ?? 0;
    eligible += macs;
    if (flow.heads.has(node)) int8 += macs;
  }
  return { int8, eligible };
}
