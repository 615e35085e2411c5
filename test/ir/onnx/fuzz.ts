import { fileURLToPath } from 'node:url';
import { joinChunks, memorySource } from '../../../ir/bytes.ts';
import { Diagnostic } from '../../../ir/diagnostic.ts';
import type { Model } from '../../../ir/model.ts';
import { decode } from '../../../ir/onnx/decode.ts';
import { encode } from '../../../ir/onnx/encode.ts';
import type { ModelProto } from '../../../ir/onnx/fields.ts';
import { readModel } from '../../../ir/onnx/read.ts';
import { writeModel } from '../../../ir/onnx/write.ts';
import { everything } from './messages.ts';
import { fileLike } from './oracle.ts';
import { sampleModel } from './sample-model.ts';

/** What became of the mutants; each was refused with a Diagnostic or survived with all laws kept, else `fuzz` throws. */
export interface Tally {
  refused: number;
  messages: number;
  models: number;
}

/**
 * Mutates valid models and checks of each mutant: it is refused with a Diagnostic or read; from a file it is read the same as from memory;
 * what is written is not longer than what was read; the second write is the first. `seed` makes it repeatable.
 */
export function fuzz(count: number, seed: number): Tally {
  const random = generator(seed);
  const originals = [joinChunks(encode(everything(), 'ModelProto')), joinChunks(encode(sampleModel(), 'ModelProto'))];
  const tally: Tally = { refused: 0, messages: 0, models: 0 };
  for (let run = 0; run < count; run++) {
    const bytes = mutate(originals[run % 32 === 0 ? 0 : 1]!, random);
    try {
      check(bytes, tally);
    } catch (error) {
      throw new Error(`mutant ${run} of seed ${seed}: ${Buffer.from(bytes).toString('base64')}`, { cause: error });
    }
  }
  return tally;
}

function check(bytes: Uint8Array, tally: Tally): void {
  const message = attempt(() => decode(memorySource(bytes), 'ModelProto'));
  const lazy = attempt(() => decode(fileLike(bytes, 'buffer'), 'ModelProto'));
  if (message instanceof Diagnostic || lazy instanceof Diagnostic) {
    const [a, b] = [message, lazy].map((result) => (result instanceof Diagnostic ? result.message : 'read'));
    if (a !== b) throw new Error(`from memory: ${a}; from a file: ${b}`);
    tally.refused++;
    return;
  }
  tally.messages++;
  const once = write(message);
  if (once.length > bytes.length) throw new Error(`grew from ${bytes.length} to ${once.length} bytes`);
  same(once, write(lazy), 'lazy');
  same(once, write(decode(memorySource(once), 'ModelProto')), 'second');
  const model = attempt(() => readModel(memorySource(bytes)));
  if (model instanceof Diagnostic) return;
  const written = attempt(() => writeAll(model));
  if (written instanceof Diagnostic) return;
  tally.models++;
  same(written, writeAll(readModel(memorySource(written))), 'second model');
}

function same(a: Uint8Array, b: Uint8Array, what: string): void {
  if (!Buffer.from(a).equals(b)) throw new Error(`the ${what} write differs`);
}

function write(message: ModelProto): Uint8Array {
  return joinChunks(encode(message, 'ModelProto'));
}

function writeAll(model: Model): Uint8Array {
  return joinChunks(writeModel(model).model);
}

function attempt<T>(action: () => T): T | Diagnostic {
  try {
    return action();
  } catch (error) {
    if (error instanceof Diagnostic && error.code.startsWith('model/')) return error;
    throw error;
  }
}

function mutate(original: Uint8Array, random: (below: number) => number): Uint8Array {
  let bytes = [...original];
  for (let left = 1 + random(3); left > 0; left--) {
    const at = random(bytes.length);
    const more = random(12);
    switch (random(7)) {
      case 0: bytes[at] = random(256); break;
      case 1: bytes[at]! ^= 1 << random(8); break;
      case 2: bytes.splice(at, more); break;
      case 3: bytes.splice(at, 0, ...Array.from({ length: more }, () => random(256))); break;
      case 4: bytes.splice(at, 0, ...bytes.slice(random(bytes.length)).slice(0, more * 4)); break;
      case 5: bytes[at] = [0, 1, 0x7f, 0x80, 0xff][random(5)]!; break;
      default: if (random(4) === 0) bytes = bytes.slice(0, at + 1);
    }
    if (bytes.length === 0) bytes = [0];
  }
  return Uint8Array.from(bytes);
}

/** A linear congruential generator with Numerical Recipes' constants; the high bits decide. */
function generator(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

// Alone: node fuzz.js COUNT SEED
if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [count, seed] = process.argv.slice(2).map(Number);
  console.log(fuzz(count ?? 10_000, seed ?? 1));
}
