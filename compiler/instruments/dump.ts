import type { Model } from '../../ir/model.ts';
import { printModel } from '../../ir/text/index.ts';
import type { Step } from '../manager.ts';
import type { Instrument } from './instrument.ts';

/** Constants of more elements are shown as their hash. */
const elideAbove = 64;

/** Writes one file of a dump, by name. */
export type DumpWriter = (name: string, text: string) => void;

/**
 * Prints the model as text before the first step and after each step that changed it, so that any two files that follow each other are a
 * step's before and after: `00-input.onnxtxt`, `02-fold.onnxtxt`. What a failing step left is `NN-ID.failed.onnxtxt`.
 */
export function dump(write: DumpWriter): Instrument {
  let started = false;
  const print = (name: string, model: Model): void => { write(`${name}.onnxtxt`, printModel(model, { elideAbove, types: 'comments' })); };
  return {
    before(_step, model) {
      if (!started) print('00-input', model);
      started = true;
    },
    after(step, model, { count }) {
      if (count > 0) print(fileName(step), model);
    },
    failed(step, model, { before }) {
      if (model.version === before.version) return;
      try {
        print(`${fileName(step)}.failed`, model);
      } catch {
        // A model that a defect left half changed may have no text; the error itself is reported.
      }
    },
  };
}

function fileName({ number, id }: Step): string {
  return `${String(number).padStart(2, '0')}-${id.replaceAll(/[^\w.-]/g, '_')}`;
}
