import { createHash } from 'node:crypto';
import { Editor } from '../../ir/edit.ts';
import type { Model } from '../../ir/model.ts';
import type { Instrument } from './instrument.ts';

/** What is true of a whole compile: hashes in hexadecimal. */
export interface Origin {
  /** Version of onnxpress. */
  readonly version: string;
  /** SHA-256 of the resolved recipe. */
  readonly recipe: string;
  /** SHA-256 of the model as read. */
  readonly model: string;
  readonly target: string;
}

const prefix = 'onnxpress.';

/**
 * Keeps a history of the steps and writes it, with where the model comes from, into the model's metadata before each step that writes
 * files: `onnxpress.version`, `.recipe`, `.model`, `.target`, `.producer` (of the model as read) and `.history` (JSON: pass, version, hash of the
 * options, changed), keys sorted, no path and no time. What an earlier compile wrote there is replaced.
 */
export function provenance({ version, recipe, model: hash, target }: Origin): Instrument {
  const history: object[] = [];
  let producer: string | undefined;
  return {
    before({ pass }, model) {
      if (pass.outputs === undefined) return;
      producer ??= producerOf(model);
      const entries = { version, recipe, model: hash, target, history: JSON.stringify(history), ...(producer !== undefined && { producer }) };
      const kept = [...(model.extras?.metadata ?? [])].filter(([key]) => !key.startsWith(prefix));
      const metadata = new Map([...kept, ...Object.entries(entries).map(([key, value]) => [prefix + key, value] as const)].sort(([a], [b]) => (a < b ? -1 : 1)));
      new Editor(model).setModel({ extras: { ...model.extras, metadata }, producerName: 'onnxpress', producerVersion: version });
    },
    after({ pass, options, number }, _model, { count }) {
      if (number > 0) history.push({ pass: pass.name, version: pass.version, options: hashOf(options), changed: count > 0 });
    },
  };
}


/** Who made the model that was read: name and version, or what an earlier compile noted. */
function producerOf({ producerName, producerVersion, extras }: Model): string | undefined {
  const noted = extras?.metadata?.get(`${prefix}producer`);
  if (noted !== undefined || !producerName) return noted;
  return producerVersion ? `${producerName} ${producerVersion}` : producerName;
}

/** SHA-256 of plain data, in hexadecimal; the order of keys does not matter. */
export function hashOf(data: unknown): string {
  return createHash('sha256').update(canonical(data)).digest('hex');
}

/** JSON with sorted keys. */
export function canonical(data: unknown): string {
  return JSON.stringify(data, (_key, value: unknown) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
    return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
  });
}
