// @ts-check
import { definePass, definePlugin } from 'onnxpress';

/** Replaces HardSigmoid → Mul by HardSwish, which says the same in one node (opset 14). */
export const hardSwish = definePass({
  name: 'template/hard-swish',
  version: 1,
  summary: 'Replaces x · HardSigmoid(x) by HardSwish(x).',
  options: {
    type: 'object',
    additionalProperties: false,
    properties: {
      keepNames: { type: 'boolean', default: true, description: 'Names the new node after the multiplication that it replaces.' },
    },
  },
  run(model, { options, select, edit, remark, stat }) {
    for (const mul of model.graph.nodes()) {
      if (!mul.is('Mul') || !select.has(mul)) continue;
      const [a, b] = mul.inputs;
      const gate = [a, b].find((value) => value?.producer?.is('HardSigmoid'));
      const sigmoid = gate?.producer;
      const x = gate === a ? b : a;
      if (gate === undefined || sigmoid === undefined || x === undefined || sigmoid.inputs[0] !== x) continue;
      // HardSwish is x · max(0, min(1, x/6 + 1/2)); HardSigmoid says alpha·x + beta with 0.2 and 0.5 as defaults.
      const isSwish = Math.abs(sigmoid.float('alpha', 0.2) - 1 / 6) < 1e-6 && sigmoid.float('beta', 0.5) === 0.5;
      if (!isSwish || (model.opset() ?? 0) < 14) {
        remark({ kind: 'missed', rule: 'hard-swish', node: mul, message: isSwish ? 'HardSwish needs opset 14' : 'alpha and beta are not those of HardSwish' });
        continue;
      }
      const swish = edit.insert(
        { op: 'HardSwish', inputs: [x], outputs: [mul.output.type], from: [mul, sigmoid] },
        { before: mul },
      );
      edit.replaceUses(mul.output, swish.output);
      edit.remove(mul);
      if (options.keepNames) edit.rename(swish, mul.name);
      if (gate.uses.length === 0) edit.remove(sigmoid);
      remark({ kind: 'applied', rule: 'hard-swish', node: swish, message: 'HardSigmoid and Mul became one node' });
      stat('hard-swish');
    }
  },
});

export default definePlugin({ name: 'onnxpress-plugin-template', api: 1, passes: [hardSwish] });
