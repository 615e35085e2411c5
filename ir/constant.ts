import type { Attribute } from './attribute.ts';
import { Diagnostic } from './diagnostic.ts';
import { byteLengthOf, dtypeBits } from './dtype.ts';
import { codeAt, putCode, sizeOf, Tensor, type SparseTensor } from './tensor.ts';

/** The elements that an attribute of a Constant node states, or undefined if the attribute is none of those that Constant has. */
export function constantTensor(name: string, attribute: Attribute): Tensor | undefined {
  const key = `${name}:${attribute.kind}`;
  switch (attribute.kind) {
    case 'tensor':
      return key === 'value:tensor' ? attribute.value : undefined;
    case 'sparseTensor':
      return key === 'sparse_value:sparseTensor' ? densified(attribute.value, name) : undefined;
    case 'float':
      return key === 'value_float:float' ? Tensor.scalar('float', attribute.value) : undefined;
    case 'int':
      return key === 'value_int:int' ? Tensor.scalar('int64', attribute.value) : undefined;
    case 'string':
      return key === 'value_string:string' ? Tensor.fromStrings([], [attribute.value]) : undefined;
    case 'floats':
      return key === 'value_floats:floats' ? Tensor.of('float', attribute.value) : undefined;
    case 'ints':
      return key === 'value_ints:ints' ? Tensor.of('int64', attribute.value) : undefined;
    case 'strings':
      return key === 'value_strings:strings' ? Tensor.fromStrings([attribute.value.length], attribute.value) : undefined;
    default:
      return undefined;
  }
}

/**
 * The dense tensor that a sparse one stands for. Nothing is allocated before somebody asks for elements; then indices out of range
 * throw `model/sparse`, as does a form that ONNX does not define.
 */
export function densified(sparse: SparseTensor, name: string): Tensor {
  const { values, indices, shape } = sparse;
  const count = values.size;
  const rank = shape.length;
  const linear = indices.shape.length === 1;
  const fits = values.shape.length === 1 && indices.shape[0] === count && (linear || (indices.shape.length === 2 && indices.shape[1] === rank));
  if (!fits || indices.dtype !== 'int64' || values.dtype === 'string') {
    throw wrong(name, `values ${values.dtype}[${values.shape.join(',')}] and indices ${indices.dtype}[${indices.shape.join(',')}] do not make a tensor of shape [${shape.join(',')}]`);
  }
  return Tensor.computed(values.dtype, shape, () => scatter(sparse, linear ? 1 : rank, name), values.storage.name === undefined ? {} : { name: values.storage.name });
}

function scatter({ values, indices, shape }: SparseTensor, columns: number, name: string): Uint8Array {
  const bits = dtypeBits(values.dtype);
  const size = sizeOf(shape);
  const dense = new Uint8Array(byteLengthOf(values.dtype, size));
  const source = values.bytes();
  const at = indices.ints();
  for (let index = 0; index < values.size; index++) {
    let place = columns === 1 ? at[index]! : 0;
    for (let axis = 0; columns > 1 && axis < columns; axis++) {
      const coordinate = at[index * columns + axis]!;
      if (coordinate < 0 || coordinate >= shape[axis]!) throw wrong(name, `index ${coordinate} is outside axis ${axis} of length ${shape[axis]!}`);
      place = place * shape[axis]! + coordinate;
    }
    if (place < 0 || place >= size) throw wrong(name, `index ${place} is outside its ${size} elements`);
    if (bits >= 8) {
      const bytes = bits / 8;
      dense.set(source.subarray(index * bytes, (index + 1) * bytes), place * bytes);
    } else {
      putCode(dense, place, codeAt(source, index, bits), bits);
    }
  }
  return dense;
}

function wrong(name: string, problem: string): Diagnostic {
  return new Diagnostic('model/sparse', `sparse tensor '${name}': ${problem}`, { tensor: name, suggestion: 'The file is damaged or was written wrongly; export the model again.' });
}
