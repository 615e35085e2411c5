import type { Node, Value } from '../../ir/model.ts';
import { keepsLayout } from './roles.ts';
import type { GraphView } from './view.ts';

/** What is known of the attention that a product belongs to. */
export interface Attention {
  /** True if something that depends on the sample is added, or chosen, before the Softmax. */
  readonly masked: boolean;
  /** Keys: the length over which the Softmax normalises; Infinity where nothing says. */
  readonly sequence: number;
}

/** Nodes between the products and the Softmax: scale, mask, casts, reshapes. */
const most = 8;

/** The attention `MatMul → scale, mask → Softmax → MatMul` of which a product is the first or the last; undefined for any other product. */
export function attentionOf(product: Node, view: GraphView): Attention | undefined {
  const softmax = softmaxAfter(product.outputs[0], view) ?? softmaxBefore(product.inputs[0]) ?? softmaxBefore(product.inputs[1]);
  if (softmax === undefined) return undefined;
  const scores = softmax.inputs[0]!;
  const masked = isMasked(scores, view);
  return masked === undefined ? undefined : { masked, sequence: view.dims(scores)?.at(-1) ?? Infinity };
}

function softmaxAfter(start: Value | undefined, view: GraphView): Node | undefined {
  let value = start;
  for (let steps = 0; value !== undefined && steps < most; steps++) {
    const use = view.soleUse(value);
    if (use?.node.is('Softmax')) return use.node;
    if (use === undefined || !stepsAside(use.node)) return undefined;
    value = use.node.outputs[0];
  }
  return undefined;
}

function softmaxBefore(start: Value | undefined): Node | undefined {
  let value = start;
  for (let steps = 0; value !== undefined && steps < most; steps++) {
    if (value.producer?.is('Softmax')) return value.producer;
    if (value.producer === undefined || !(keepsLayout(value.producer) || value.producer.is('Cast', 'Transpose'))) return undefined;
    value = value.producer.inputs[0];
  }
  return undefined;
}

/** Whether a mask is added between the scores' product and the Softmax; undefined if there is no product before it. */
function isMasked(scores: Value, view: GraphView): boolean | undefined {
  let masked = false;
  let value: Value | undefined = scores;
  for (let steps = 0; value?.producer !== undefined && steps < most; steps++) {
    const node: Node = value.producer;
    if (node.is('MatMul')) return masked;
    if (!stepsAside(node)) return undefined;
    const [first, second] = node.inputs;
    // A constant (a bias of positions) is part of the fused kernel; a mask that depends on the sample is not.
    if (node.is('Where') || (node.is('Add') && view.variable(node).length > 1)) masked = true;
    // The scores come down the operand that varies and is the product's.
    const next: (Value | undefined)[] = node.is('Where') ? [node.inputs[1], node.inputs[2]] : [first, second];
    value = next.find((each) => each !== undefined && !view.isFixed(each) && leadsToProduct(each, most - steps)) ?? first;
  }
  return undefined;
}

function leadsToProduct(value: Value, steps: number): boolean {
  const node = value.producer;
  if (node === undefined || steps <= 0) return false;
  return node.is('MatMul') || (stepsAside(node) && node.inputs.some((each) => each !== undefined && leadsToProduct(each, steps - 1)));
}

const stepsAside = (node: Node): boolean => node.is('Mul', 'Div', 'Add', 'Where', 'Cast') || keepsLayout(node);
