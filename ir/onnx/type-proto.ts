import { Diagnostic } from '../diagnostic.ts';
import { dtypeNumber, dtypeOf, type DType } from '../dtype.ts';
import type { Dim, TensorType, Type } from '../type.ts';
import type { TensorShapeProto, TensorShapeProtoDimension, TypeProto, TypeProtoTensor } from './fields.ts';

/** TypeProto → Type; undefined where the message says nothing. `where` names the value in errors. */
export function readType(proto: TypeProto | undefined, where: string): Type | undefined {
  if (proto === undefined) return undefined;
  const { denotation } = proto;
  const type = readBare(proto, where);
  return type === undefined || denotation === undefined ? type : { ...type, denotation };
}

function readBare(proto: TypeProto, where: string): Type | undefined {
  if (proto.tensor_type !== undefined) return readTensorType(proto.tensor_type, where);
  if (proto.sparse_tensor_type !== undefined) return { ...readTensorType(proto.sparse_tensor_type, where), sparse: true };
  if (proto.sequence_type !== undefined) return { kind: 'sequence', element: readType(proto.sequence_type.elem_type, where) };
  if (proto.optional_type !== undefined) return { kind: 'optional', element: readType(proto.optional_type.elem_type, where) };
  if (proto.map_type !== undefined) {
    return { kind: 'map', key: elementType(proto.map_type.key_type, where), value: readType(proto.map_type.value_type, where) };
  }
  if (proto.opaque_type !== undefined) return { kind: 'opaque', domain: proto.opaque_type.domain, name: proto.opaque_type.name };
  return undefined;
}

/** Type → TypeProto. */
export function writeType(type: Type): TypeProto {
  const proto = writeBare(type);
  if (type.denotation !== undefined) proto.denotation = type.denotation;
  return proto;
}

function writeBare(type: Type): TypeProto {
  switch (type.kind) {
    case 'tensor':
      return type.sparse ? { sparse_tensor_type: writeTensorType(type) } : { tensor_type: writeTensorType(type) };
    case 'sequence':
      return { sequence_type: type.element === undefined ? {} : { elem_type: writeType(type.element) } };
    case 'optional':
      return { optional_type: type.element === undefined ? {} : { elem_type: writeType(type.element) } };
    case 'map':
      return {
        map_type: {
          ...(type.key !== undefined && { key_type: dtypeNumber(type.key) }),
          ...(type.value !== undefined && { value_type: writeType(type.value) }),
        },
      };
    case 'opaque':
      return {
        opaque_type: { ...(type.domain !== undefined && { domain: type.domain }), ...(type.name !== undefined && { name: type.name }) },
      };
  }
}

function readTensorType(proto: TypeProtoTensor, where: string): TensorType {
  const dtype = elementType(proto.elem_type, where);
  const dims = proto.shape?.dim ?? [];
  const shape = proto.shape === undefined ? undefined : dims.map((dim): Dim => {
    // An empty dim_param and a negative dim_value are how some exporters write «unknown».
    if (dim.dim_value !== undefined) return dim.dim_value < 0 ? undefined : Number(dim.dim_value);
    return dim.dim_param === '' ? undefined : dim.dim_param;
  });
  return dims.some((dim) => dim.denotation !== undefined) ? { kind: 'tensor', dtype, shape, denotations: dims.map((dim) => dim.denotation) } : { kind: 'tensor', dtype, shape };
}

function writeTensorType({ dtype, shape, denotations }: TensorType): TypeProtoTensor {
  const proto: TypeProtoTensor = dtype === undefined ? {} : { elem_type: dtypeNumber(dtype) };
  if (shape !== undefined) proto.shape = writeShape(shape, denotations);
  return proto;
}

function writeShape(shape: readonly Dim[], denotations: TensorType['denotations']): TensorShapeProto {
  if (shape.length === 0) return {};
  return {
    dim: shape.map((dim, axis) => {
      const proto: TensorShapeProtoDimension = typeof dim === 'number' ? { dim_value: dim } : typeof dim === 'string' ? { dim_param: dim } : {};
      const denotation = denotations?.[axis];
      if (denotation !== undefined) proto.denotation = denotation;
      return proto;
    }),
  };
}

function elementType(number: number | undefined, where: string): DType | undefined {
  if (number === undefined || number === 0) return undefined;
  const dtype = dtypeOf(number);
  if (dtype === undefined) {
    throw new Diagnostic('model/unknown-type', `${where} has element type ${number}, which this version does not know`, {
      suggestion: 'Export the model with an ONNX version up to 1.23 (IR 14).',
    });
  }
  return dtype;
}
