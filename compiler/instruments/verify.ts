import { Diagnostic } from '../../ir/diagnostic.ts';
import type { Model } from '../../ir/model.ts';
import { verifyModel, type Interface } from '../../ir/verify.ts';
import type { Instrument } from './instrument.ts';

/**
 * Checks the model after each step that changed it: its own consistency, and that names, order, element types and ranks of its inputs and
 * outputs are those that `expected` gives. A finding is a defect of the pass: `internal/invalid-model`, which names the step and the node.
 */
export function verify(expected: () => Interface | undefined = () => undefined): Instrument {
  return {
    after(step, model, { count }) {
      if (count === 0) return;
      const { version } = model;
      const slots = expected();
      const [first, ...others] = verifyModel(model, { nodeNames: true, limit: 10, ...(slots && { interface: slots }) });
      assertUntouched(model, version);
      if (first === undefined) return;
      throw new Diagnostic('internal/invalid-model', `step '${step.id}' left an invalid model: ${first.message} (${first.code})`, {
        step: step.id,
        ...(first.node && { node: first.node }),
        ...(first.tensor !== undefined && { tensor: first.tensor }),
        notes: others.map(({ code, message }) => ({ message: `${message} (${code})` })),
        suggestion: `Report it to the author of the pass ${step.pass.name}, with the reproducer; leaving the step out, or narrowing its \`where\`, avoids it.`,
      });
    },
  };
}

function assertUntouched(model: Model, version: number): void {
  if (model.version !== version) throw new Error('verification changed the model');
}
