import { createHash } from 'node:crypto';
import { Refusal } from './client.ts';
import type { WireOutput } from './protocol.ts';

/** Outputs, of all remembered answers together, that are kept at most; some 100 bytes each. */
const mostOutputs = 2 ** 17;
/** Answers that are kept at most; a refusal has no outputs, but a message. */
const mostAnswers = 1024;

/**
 * What ONNX Runtime says of the outputs of models that are not run, remembered by their bytes: between two inferences, most bodies and often the whole model stay as
 * they are, and the same skeleton has the same types.
 */
export class Descriptions {
  private readonly ask: (model: Uint8Array) => Promise<readonly WireOutput[]>;
  private readonly answers = new Map<string, readonly WireOutput[] | Refusal>();
  private outputs = 0;

  /** `ask` makes a session and tells its outputs, or rejects with a Refusal; the buffer that it is given may change owner. */
  constructor(ask: (model: Uint8Array) => Promise<readonly WireOutput[]>) {
    this.ask = ask;
  }

  /** The outputs of a model. Rejects with a Refusal, remembered too, and with whatever else `ask` rejects with. */
  async of(model: Uint8Array): Promise<readonly WireOutput[]> {
    const key = createHash('sha256').update(model).digest('base64');
    let answer = this.answers.get(key);
    if (answer === undefined) {
      answer = await this.ask(model).catch((error: unknown) => {
        if (error instanceof Refusal) return error;
        throw error;
      });
      this.remember(key, answer);
    }
    if (answer instanceof Refusal) throw answer;
    return answer;
  }

  /** The oldest answers give way. */
  private remember(key: string, answer: readonly WireOutput[] | Refusal): void {
    this.answers.set(key, answer);
    this.outputs += sizeOf(answer);
    for (const [oldest, item] of this.answers) {
      if (this.outputs <= mostOutputs && this.answers.size <= mostAnswers) return;
      this.answers.delete(oldest);
      this.outputs -= sizeOf(item);
    }
  }
}

function sizeOf(answer: readonly WireOutput[] | Refusal): number {
  return answer instanceof Refusal ? 0 : answer.length;
}
