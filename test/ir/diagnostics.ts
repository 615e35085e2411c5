import { Diagnostic } from '../../ir/diagnostic.ts';

/** The Diagnostic that `action` throws. Anything else, or nothing, is thrown on as an error of the test. */
export function diagnosticOf(action: () => unknown): Diagnostic {
  try {
    action();
  } catch (error) {
    if (Diagnostic.is(error)) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

/** The code of the Diagnostic that `action` throws. */
export function codeOf(action: () => unknown): string {
  return diagnosticOf(action).code;
}
