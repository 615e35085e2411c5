import { Diagnostic } from '../ir/diagnostic.ts';
import type { Node } from '../ir/model.ts';
import { definePass, type PassDeclaration } from './pass.ts';
import { rewriteLstm, rewriteProduct, type MadeWeights } from './quantize/dynamic.ts';

const options = {
  type: 'object',
  additionalProperties: false,
  properties: {
    ops: {
      type: 'array', minItems: 1, items: { type: 'string', enum: ['MatMul', 'Gemm', 'LSTM'], description: 'An operator.' }, default: ['MatMul', 'Gemm', 'LSTM'],
      description: 'Operators whose constant weights are quantized.',
    },
    perChannel: { type: 'boolean', default: true, description: 'One scale for each output channel of the weights instead of one for all.' },
    minimum: { type: 'integer', minimum: 0, default: 1024, description: 'Weights that a node has at least: with fewer, finding the range of what it reads costs more than the product.' },
  },
} as const;

/** Weights to int8 ahead of time, activations to uint8 when the model runs. */
export const quantizeDynamic: PassDeclaration<typeof options> = definePass({
  name: 'quantize-dynamic',
  version: 1,
  summary: 'Quantizes weights of MatMul, Gemm and LSTM; what they read is quantized while the model runs.',
  description: [
    'Needs no data: the range of each activation is found at each run. Writes operators of the runtime (`com.microsoft`), so it is for targets that have them: TensorRT refuses models whose scales',
    'are computed (QDQ-17), and so does this pass for those targets.',
  ].join('\n'),
  options,
  run(model, { options: { ops, perChannel, minimum }, select, edit, target, remark, stat }) {
    if (!target.numbers.dynamic) {
      throw new Diagnostic('quantize/no-dynamic', `${target.name} takes no scales that are computed while the model runs (QDQ-17)`, {
        suggestion: 'Use `calibrate` and `quantize-int8`, or the target onnxruntime-cpu.',
      });
    }
    const rewrites: ReadonlyMap<string, typeof rewriteLstm> = new Map([['MatMul', rewriteProduct], ['Gemm', rewriteProduct], ['LSTM', rewriteLstm]]);
    const made: MadeWeights = new Map();
    for (const node of [...model.graph.walk()]) {
      const rewrite = node.domain === '' && (ops as readonly string[]).includes(node.op) ? rewrites.get(node.op) : undefined;
      if (rewrite === undefined || !select.has(node)) continue;
      const refused = isSmall(node, minimum) ? `it has fewer than ${minimum} constant weights` : rewrite(node, edit, perChannel, made);
      if (refused === undefined) stat('nodes quantized');
      else remark({ kind: 'missed', rule: 'dynamic', message: refused, node });
    }
    if (edit.changes > 0) edit.setModel({ opsets: new Map([...model.opsets, ['com.microsoft', model.opset('com.microsoft') ?? 1]]) });
  },
});

function isSmall({ inputs }: Node, minimum: number): boolean {
  return inputs.reduce((sum, value) => sum + (value?.constant?.size ?? 0), 0) < minimum;
}
