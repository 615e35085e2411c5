import { chunksLength, joinChunks, type Chunk } from '../../ir/bytes.ts';
import { Refusal } from './client.ts';
import { makeScratch } from './scratch.ts';
import type { OpenContext } from './session.ts';

/** The bytes of a model file, and of the side file that it names, if it names one. */
export interface ModelBytes {
  readonly model: readonly Chunk[];
  readonly side?: { readonly name: string; readonly chunks: readonly Chunk[] } | undefined;
}

/** Has ONNX Runtime load a model file as it is, without optimisations; see `OrtRuntime.refusalOf`. */
export async function refusalOf({ model, side }: ModelBytes, { client, inlineBytes, scratchFolder }: OpenContext): Promise<string | undefined> {
  const aside = side !== undefined || chunksLength(model) > inlineBytes;
  const scratch = aside ? await makeScratch(scratchFolder, model, side?.name ?? 'none', side?.chunks ?? []) : undefined;
  try {
    const session = client.newSession();
    await client.ask({ kind: 'create', session, model: scratch?.model ?? joinChunks(model), settings: { optimization: 'disabled', threads: 1 } });
    await client.ask({ kind: 'release', session });
    return undefined;
  } catch (error) {
    if (error instanceof Refusal) return error.message.replace(/^Load model from .*? failed:\s*/, '');
    throw error;
  } finally {
    await scratch?.remove();
  }
}
