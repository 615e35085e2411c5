import { Diagnostic } from '../../../ir/diagnostic.ts';

/** The Diagnostic with which a promise is rejected; anything else is an error of the test. */
export async function failure(promise: Promise<unknown>): Promise<Diagnostic> {
  try {
    await promise;
  } catch (error) {
    if (Diagnostic.is(error)) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}
