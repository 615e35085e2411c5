import { readFile } from 'node:fs/promises';
import { memorySource } from '../../ir/bytes.ts';
import { Diagnostic } from '../../ir/diagnostic.ts';
import { decode } from '../../ir/onnx/decode.ts';
import { readTensor } from '../../ir/onnx/tensor-proto.ts';
import type { Tensor } from '../../ir/tensor.ts';
import type { Found } from './glob.ts';
import { unreadable } from './data-file.ts';
import { cursor, type IndexedReader } from './reader.ts';

/** Files of one ONNX TensorProto each, as ONNX's own test data are: one sample each. */
export function protoReader(files: readonly Found[], input: string): IndexedReader {
  return {
    kind: 'indexed',
    count: files.length,
    files: (indices) => (indices === undefined ? files : indices.map((index) => files[index]!)).map(({ path }) => path),
    names: files.map(({ name }) => name),
    open: () => Promise.resolve(cursor(async (index) => {
      const found = files[index]!;
      return { arrays: new Map([[input, await readProto(found)]]), where: found.name, file: found.name };
    })),
  };
}

async function readProto({ path, name }: Found): Promise<Tensor> {
  let bytes: Uint8Array;
  try {
    bytes = await readFile(path);
  } catch (error) {
    throw unreadable(name, error);
  }
  try {
    return readTensor(decode(memorySource(bytes, name), 'TensorProto'), name, undefined);
  } catch (error) {
    if (!Diagnostic.is(error)) throw error;
    throw new Diagnostic('data/tensor-proto', `${name} holds no tensor: ${error.message}`, { file: name, cause: error, suggestion: 'Write it with onnx.save_tensor, its elements inside.' });
  }
}
