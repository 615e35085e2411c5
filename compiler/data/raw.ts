import { Diagnostic } from '../../ir/diagnostic.ts';
import { byteLengthOf, dtypeBits, type DType } from '../../ir/dtype.ts';
import { sizeOf } from '../../ir/tensor.ts';
import type { Rows } from './array-files.ts';
import { truncated, withFile } from './data-file.ts';
import type { Found } from './glob.ts';
import { wanted, type ModelInput } from './inputs.ts';
import { dtypeNamed } from './preprocess.ts';
import type { InputReaderSettings } from './settings.ts';

/** The rows of a raw file. Shape and element type are those of a sample of the input where the recipe gives none. Throws `data/shape`, `data/truncated`. */
export function rawRows(found: Found, { shape, dtype, offset = 0 }: InputReaderSettings, input: ModelInput): Promise<Rows> {
  const row = shape ?? input.sample;
  if (!row.every((dim): dim is number => typeof dim === 'number')) {
    throw new Diagnostic('data/shape', `the shape of one sample in ${found.name} is not known: the input '${input.name}' is ${wanted(input)}`, {
      file: found.name, tensor: input.name, suggestion: 'Give `shape`, the shape of one sample.',
    });
  }
  const type: DType = dtype === undefined ? input.dtype : dtypeNamed(dtype);
  const length = byteLengthOf(type, sizeOf(row));
  return withFile(found, (file) => {
    const bytes = file.size - offset;
    if (length === 0 || dtypeBits(type) < 8 || bytes < 0 || bytes % length !== 0) {
      return Promise.reject(truncated(found.name, `${Math.max(0, bytes)} bytes after the offset are no whole number of samples of ${length} bytes (${type} [${row.join(', ')}])`));
    }
    return Promise.resolve({ found, offset, count: bytes / length, dtype: type, shape: row });
  });
}
