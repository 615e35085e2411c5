import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);

/** The version of onnxpress. */
export const version: string = (require('#package') as { readonly version: string }).version;

/** Versions of what results may depend on: Node, ONNX Runtime, platform. */
export function runtimeVersions(): Record<string, string> {
  const { version: ort } = require('onnxruntime-node/package.json') as { readonly version: string };
  return { node: process.version, onnxruntime: ort, platform: `${process.platform}-${process.arch}` };
}
