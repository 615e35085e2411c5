import { Editor } from '../ir/edit.ts';
import type { Model } from '../ir/model.ts';
import { sameType, shapeOf } from '../ir/type.ts';
import { definePass, type PassDeclaration } from './pass.ts';
import type { OptionsOf } from './options.ts';
import type { Runtime } from './runtime.ts';
import { Rewriter, type Rule } from './rewrite.ts';
import { affine, batchNorm } from './fold/batch-norm.ts';
import { Branches } from './fold/branches.ts';
import { compounds } from './fold/compounds.ts';
import { chains } from './fold/chains.ts';
import { Evaluator } from './fold/constants.ts';
import { removeUnused } from './fold/dead.ts';
import { mergeDuplicates } from './fold/duplicates.ts';
import { identities } from './fold/identities.ts';
import { kernelRules } from './fold/kernels.ts';
import { pads } from './fold/pads.ts';
import { shapes } from './fold/shapes.ts';
import { transposes } from './fold/transposes.ts';

const options = {
  type: 'object',
  additionalProperties: false,
  properties: {
    maxGrowth: {
      type: 'integer', minimum: 0, unit: 'bytes',
      description: 'How much larger than what it replaces an evaluated constant may be; larger results stay as the nodes that make them. Default: 64 KiB, or a hundredth of all constants of the model if that is more.',
    },
    batchNorm: {
      type: 'boolean', default: true,
      description: 'Fold BatchNormalization into Conv, ConvTranspose, Gemm and MatMul. Turn off where a later step wants its statistics.',
    },
    compounds: {
      type: 'boolean', default: false,
      description: 'Recognise spelled-out LayerNormalization, RMSNormalization, Gelu, HardSigmoid, HardSwish, Swish and Softmax, and replace them where the operator set has the operator.',
    },
  },
} as const;

/** What the step says, with defaults. */
export type FoldOptions = OptionsOf<typeof options>;

/**
 * Rounds of local rules, constant evaluation, branches, duplicates and dead code until a round changes nothing. Types are inferred again between
 * rounds, since a rule may need what another made known.
 */
export const fold: PassDeclaration<typeof options> = definePass({
  name: 'fold',
  version: 2,
  summary: 'Evaluates what is constant and removes what does nothing.',
  options,
  async run(model, context) {
    const { edit, runtime, signal } = context;
    const rewriter = new Rewriter(model, rulesFor(context.options), context);
    const evaluator = new Evaluator(context, context.options.maxGrowth ?? Math.max(2 ** 16, Math.floor(constantBytes(model) / 100)));
    const branches = new Branches(context);
    let rounds = 0;
    for (let before = -1; edit.changes !== before; rounds++) {
      signal.throwIfAborted();
      if (rounds > 0) await retype(model, runtime);
      before = edit.changes;
      removeUnused(model, context);
      while (rewriter.sweep() > 0);
      await evaluator.run(model);
      await branches.run(model);
      mergeDuplicates(model, context);
    }
    const last = new Rewriter(model, kernelRules(context.target), context);
    while (last.sweep() > 0) {
      removeUnused(model, context);
      mergeDuplicates(model, context);
    }
    rewriter.reportDeclined();
    evaluator.reportKept();
    context.stat('rounds', rounds);
  },
});

/** The rules in the order in which they are tried. */
function rulesFor(options: FoldOptions): readonly Rule[] {
  return [...identities, ...shapes, ...chains, ...transposes, ...pads, ...affine, ...(options.batchNorm ? batchNorm : []), ...(options.compounds ? compounds : [])];
}

/** Types as the runtime infers them now. What a step knows better than before is no change of the model. */
async function retype(model: Model, runtime: Runtime): Promise<void> {
  if (!hasOpenTypes(model)) return;
  const types = new Editor(model);
  for (const [value, type] of await runtime.infer(model)) if (!sameType(value.type, type)) types.setType(value, type);
}

function constantBytes(model: Model): number {
  let sum = 0;
  for (const { constant } of model.graph.constants) sum += constant?.byteLength ?? 0;
  return sum;
}

/** True if inference could tell more: some result of a node lacks a type or has an axis that is neither a length nor a symbol of an input. */
function hasOpenTypes(model: Model): boolean {
  const symbols = new Set(model.graph.inputs.flatMap(({ type }) => shapeOf(type) ?? []));
  for (const node of model.graph.walk()) {
    for (const value of node.outputs) {
      if (value === undefined || (value.type !== undefined && value.type.kind !== 'tensor')) continue;
      if (value.type?.dtype === undefined || value.type.shape?.every((dim) => typeof dim === 'number' || (dim !== undefined && symbols.has(dim))) !== true) return true;
    }
  }
  return false;
}
