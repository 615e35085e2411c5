import { resolve } from 'node:path';
import type { Diagnostic } from '../ir/diagnostic.ts';
import { verifyModel } from '../ir/verify.ts';
import { openModelFile } from './files/model-file.ts';
import { Diagnostics, quietHost, type Host } from './host.ts';
import { openTyped } from './inspect.ts';

/**
 * Validates a model file: that it can be read, that its graphs are consistent, and that ONNX Runtime accepts it and its types fit. Returns
 * warnings (there are none so far); throws a Diagnostic, or Diagnostics with all findings.
 */
export async function checkModel(path: string, { host: given }: { readonly host?: Partial<Host> } = {}): Promise<readonly Diagnostic[]> {
  const host = quietHost(given);
  const opened = openModelFile(resolve(host.cwd, path), path);
  try {
    const found = verifyModel(opened.model, { limit: 100 });
    if (found.length > 0) throw new Diagnostics(found.map((diagnostic) => diagnostic.with({ file: path })));
  } finally {
    opened.close();
  }
  (await openTyped(path, host)).close();
  return [];
}
