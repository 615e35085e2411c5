import type { ByteSource } from '../bytes.ts';

const ascii = new TextDecoder('latin1');

const signatures: readonly (readonly [at: number, start: string, what: string, suggestion: string])[] = [
  [0, 'version https://git-lfs', 'a git-lfs pointer, not the file it stands for', 'Run `git lfs pull` in its repository.'],
  [0, 'PK\x03\x04', 'a zip archive (PyTorch saves checkpoints as such)', 'Unpack it, or export the model with torch.onnx.export.'],
  [0, '\x1f\x8b', 'a gzip archive', 'Unpack it with gunzip.'],
  [0, '\x89HDF', 'an HDF5 file (Keras saves models as such)', 'Convert it with tf2onnx.'],
  [4, 'TFL3', 'a TensorFlow Lite model', 'Convert it with tf2onnx.'],
  [4, 'ORTM', 'a model in the ORT format', 'Use the ONNX model that it was made from.'],
  [0, '\x80\x02', 'a Python pickle', 'Export the model with torch.onnx.export.'],
  [8, '{"', 'a safetensors file, which holds weights without a graph', 'Export the model with torch.onnx.export.'],
];

/** What a file is that turned out not to be ONNX, and what to do about it; undefined if its first bytes do not tell. */
export function recognise(source: ByteSource): { readonly what: string; readonly suggestion: string } | undefined {
  const head = ascii.decode(source.read(0, Math.min(source.size, 256)));
  for (const [at, start, what, suggestion] of signatures) {
    if (head.startsWith(start, at)) return { what, suggestion };
  }
  if (/^\s*</.test(head)) return { what: 'HTML or XML', suggestion: 'It may be the web page around the model: download the file itself.' };
  if (/^[\t\n\f\r -~]+$/.test(head)) return { what: 'a text file', suggestion: 'Give the .onnx file itself.' };
  return undefined;
}
