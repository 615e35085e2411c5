import { createRequire } from 'node:module';

import type { Chunk } from '../bytes.ts';

/** An int64 or uint64: a number while it is a safe integer, beyond that a bigint. */
export type Int64 = number | bigint;

/**
 * What every message has. Absent fields are absent properties: presence survives, as in proto2. `bytes` are views or ranges of what was read.
 * Packed fields and repeated floats are typed arrays; other repeated fields are arrays.
 */
export interface Message {
  /** Fields that the schema does not know, or knows with another wire type, as they were read, tags included. */
  unknown?: Chunk[];
}

export interface AttributeProto extends Message {
  name?: string;
  f?: number;
  i?: Int64;
  s?: Chunk;
  t?: TensorProto;
  g?: GraphProto;
  floats?: Float32Array;
  ints?: Int64[];
  strings?: Chunk[];
  tensors?: TensorProto[];
  graphs?: GraphProto[];
  doc_string?: string;
  tp?: TypeProto;
  type_protos?: TypeProto[];
  type?: number;
  ref_attr_name?: string;
  sparse_tensor?: SparseTensorProto;
  sparse_tensors?: SparseTensorProto[];
}

export interface ValueInfoProto extends Message {
  name?: string;
  type?: TypeProto;
  doc_string?: string;
  metadata_props?: StringStringEntryProto[];
}

export interface NodeProto extends Message {
  input?: string[];
  output?: string[];
  name?: string;
  op_type?: string;
  attribute?: AttributeProto[];
  doc_string?: string;
  domain?: string;
  overload?: string;
  metadata_props?: StringStringEntryProto[];
  device_configurations?: NodeDeviceConfigurationProto[];
}

export interface IntIntListEntryProto extends Message {
  key?: Int64;
  value?: Int64[];
}

export interface NodeDeviceConfigurationProto extends Message {
  configuration_id?: string;
  sharding_spec?: ShardingSpecProto[];
  pipeline_stage?: number;
}

export interface ShardingSpecProto extends Message {
  tensor_name?: string;
  device?: Int64[];
  index_to_device_group_map?: IntIntListEntryProto[];
  sharded_dim?: ShardedDimProto[];
}

export interface ShardedDimProto extends Message {
  axis?: Int64;
  simple_sharding?: SimpleShardedDimProto[];
}

export interface SimpleShardedDimProto extends Message {
  dim_value?: Int64;
  dim_param?: string;
  num_shards?: Int64;
}

export interface TrainingInfoProto extends Message {
  initialization?: GraphProto;
  algorithm?: GraphProto;
  initialization_binding?: StringStringEntryProto[];
  update_binding?: StringStringEntryProto[];
}

export interface ModelProto extends Message {
  /**
   * Not a field: true if a repeated scalar, or a negative int32, was read in another form than the schema's (writers in the manner of proto3).
   * Such a model is written with the shorter form of each, so that it never grows.
   */
  compact?: boolean;
  ir_version?: Int64;
  producer_name?: string;
  producer_version?: string;
  domain?: string;
  model_version?: Int64;
  doc_string?: string;
  graph?: GraphProto;
  opset_import?: OperatorSetIdProto[];
  metadata_props?: StringStringEntryProto[];
  training_info?: TrainingInfoProto[];
  functions?: FunctionProto[];
  configuration?: DeviceConfigurationProto[];
}

export interface DeviceConfigurationProto extends Message {
  name?: string;
  num_devices?: number;
  device?: string[];
}

export interface StringStringEntryProto extends Message {
  key?: string;
  value?: string;
}

export interface TensorAnnotation extends Message {
  tensor_name?: string;
  quant_parameter_tensor_names?: StringStringEntryProto[];
}

export interface GraphProto extends Message {
  node?: NodeProto[];
  name?: string;
  initializer?: TensorProto[];
  doc_string?: string;
  input?: ValueInfoProto[];
  output?: ValueInfoProto[];
  value_info?: ValueInfoProto[];
  quantization_annotation?: TensorAnnotation[];
  sparse_initializer?: SparseTensorProto[];
  metadata_props?: StringStringEntryProto[];
}

export interface TensorProto extends Message {
  dims?: Int64[];
  data_type?: number;
  segment?: TensorProtoSegment;
  float_data?: Float32Array;
  int32_data?: Int32Array;
  string_data?: Chunk[];
  int64_data?: BigInt64Array;
  name?: string;
  raw_data?: Chunk;
  double_data?: Float64Array;
  uint64_data?: BigUint64Array;
  doc_string?: string;
  external_data?: StringStringEntryProto[];
  data_location?: number;
  metadata_props?: StringStringEntryProto[];
}

export interface TensorProtoSegment extends Message {
  begin?: Int64;
  end?: Int64;
}

export interface SparseTensorProto extends Message {
  values?: TensorProto;
  indices?: TensorProto;
  dims?: Int64[];
}

export interface TensorShapeProto extends Message {
  dim?: TensorShapeProtoDimension[];
}

export interface TensorShapeProtoDimension extends Message {
  dim_value?: Int64;
  dim_param?: string;
  denotation?: string;
}

export interface TypeProto extends Message {
  tensor_type?: TypeProtoTensor;
  sequence_type?: TypeProtoSequence;
  map_type?: TypeProtoMap;
  denotation?: string;
  opaque_type?: TypeProtoOpaque;
  sparse_tensor_type?: TypeProtoSparseTensor;
  optional_type?: TypeProtoOptional;
}

export interface TypeProtoTensor extends Message {
  elem_type?: number;
  shape?: TensorShapeProto;
}

export interface TypeProtoSequence extends Message {
  elem_type?: TypeProto;
}

export interface TypeProtoMap extends Message {
  key_type?: number;
  value_type?: TypeProto;
}

export interface TypeProtoOptional extends Message {
  elem_type?: TypeProto;
}

export interface TypeProtoSparseTensor extends Message {
  elem_type?: number;
  shape?: TensorShapeProto;
}

export interface TypeProtoOpaque extends Message {
  domain?: string;
  name?: string;
}

export interface OperatorSetIdProto extends Message {
  domain?: string;
  version?: Int64;
}

export interface FunctionProto extends Message {
  name?: string;
  input?: string[];
  output?: string[];
  attribute?: string[];
  node?: NodeProto[];
  doc_string?: string;
  opset_import?: OperatorSetIdProto[];
  domain?: string;
  attribute_proto?: AttributeProto[];
  value_info?: ValueInfoProto[];
  overload?: string;
  metadata_props?: StringStringEntryProto[];
}

/** Each message by its name in the schema. */
export interface Messages {
  AttributeProto: AttributeProto;
  ValueInfoProto: ValueInfoProto;
  NodeProto: NodeProto;
  IntIntListEntryProto: IntIntListEntryProto;
  NodeDeviceConfigurationProto: NodeDeviceConfigurationProto;
  ShardingSpecProto: ShardingSpecProto;
  ShardedDimProto: ShardedDimProto;
  SimpleShardedDimProto: SimpleShardedDimProto;
  TrainingInfoProto: TrainingInfoProto;
  ModelProto: ModelProto;
  DeviceConfigurationProto: DeviceConfigurationProto;
  StringStringEntryProto: StringStringEntryProto;
  TensorAnnotation: TensorAnnotation;
  GraphProto: GraphProto;
  TensorProto: TensorProto;
  'TensorProto.Segment': TensorProtoSegment;
  SparseTensorProto: SparseTensorProto;
  TensorShapeProto: TensorShapeProto;
  'TensorShapeProto.Dimension': TensorShapeProtoDimension;
  TypeProto: TypeProto;
  'TypeProto.Tensor': TypeProtoTensor;
  'TypeProto.Sequence': TypeProtoSequence;
  'TypeProto.Map': TypeProtoMap;
  'TypeProto.Optional': TypeProtoOptional;
  'TypeProto.SparseTensor': TypeProtoSparseTensor;
  'TypeProto.Opaque': TypeProtoOpaque;
  OperatorSetIdProto: OperatorSetIdProto;
  FunctionProto: FunctionProto;
}

/** The name of a message in the schema, such as `TensorProto` or `TypeProto.Tensor`. */
export type MessageName = keyof Messages;

/** How protobuf encodes a scalar: 0 varint, 1 eight bytes, 2 length and bytes, 5 four bytes. */
const wireTypes = { int32: 0, int64: 0, uint64: 0, double: 1, string: 2, bytes: 2, message: 2, float: 5 } as const;

const typedArrays = { float: Float32Array, double: Float64Array, int32: Int32Array, int64: BigInt64Array, uint64: BigUint64Array } as const;

/** The arrays that hold packed fields. */
export type TypedArray = Float32Array | Float64Array | Int32Array | BigInt64Array | BigUint64Array;

/** The constructor of a packed field's array. */
export interface TypedArrayConstructor {
  readonly BYTES_PER_ELEMENT: number;
  new (buffer: ArrayBufferLike, byteOffset: number, length: number): TypedArray;
}

/** One field of a message, as the codec needs it. */
export interface Field {
  readonly name: string;
  readonly number: number;
  /** Enums are int32. */
  readonly type: keyof typeof wireTypes;
  /** The wire type of one element. */
  readonly wire: 0 | 1 | 2 | 5;
  /** The message that the field holds, where its type is message. */
  readonly message?: MessageSpec;
  readonly repeated: boolean;
  /** True if the schema wants the elements packed into one length-delimited record. */
  readonly packed: boolean;
  /** The array that holds the elements, unless it is a plain one. */
  readonly array?: TypedArrayConstructor;
  /** The names of the other members of the field's oneof: setting one clears the rest. */
  readonly rivals: readonly string[];
}

/** A message of the schema. */
export interface MessageSpec {
  readonly name: MessageName;
  /** In the order of numbers, which is the order of writing. */
  readonly fields: readonly Field[];
  readonly byNumber: ReadonlyMap<number, Field>;
}

/** The form of specs/onnx-fields.json. */
export interface Schema {
  readonly messages: Readonly<Record<MessageName, Readonly<Record<string, readonly [number: number, type: string, label?: string]>>>>;
  readonly enums: Readonly<Record<string, Readonly<Record<string, number>>>>;
}

/** The ONNX wire schema, as specs/onnx-fields.json holds it. */
export const schema: Schema = createRequire(import.meta.url)('#specs/onnx-fields.json') as Schema;

/** All messages of the schema, ready for the codec. */
export const messages: ReadonlyMap<string, MessageSpec> = compile(schema);

function compile({ messages, enums }: Schema): Map<string, MessageSpec> {
  const specs = new Map<string, { name: MessageName; fields: Field[]; byNumber: Map<number, Field> }>();
  for (const name of Object.keys(messages) as MessageName[]) specs.set(name, { name, fields: [], byNumber: new Map() });
  for (const [name, spec] of specs) {
    const rows = Object.entries(messages[name as MessageName]);
    for (const [field, [number, of, label]] of rows) {
      const message = specs.get(of);
      const type = message ? 'message' : of in enums ? 'int32' : (of as Field['type']);
      const packed = label === 'packed';
      const typed = packed || (label === 'repeated' && (type === 'float' || type === 'double'));
      spec.byNumber.set(number, {
        name: field, number, type, wire: wireTypes[type], packed, repeated: packed || label === 'repeated',
        ...(message && { message }),
        ...(typed && { array: typedArrays[type as keyof typeof typedArrays] }),
        rivals: label?.startsWith('oneof ') ? rows.filter(([other, row]) => other !== field && row[2] === label).map(([other]) => other) : [],
      });
    }
    spec.fields.push(...spec.byNumber.values());
  }
  return specs;
}
