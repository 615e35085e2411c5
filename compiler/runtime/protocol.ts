import type { DType } from '../../ir/dtype.ts';

/** Element types as onnxruntime-node spells them. Types that JavaScript cannot hold have no name there; int4 and uint4 have one, but fetching them aborts the process. */
export type OrtType =
  | 'float32' | 'float64' | 'float16' | 'int8' | 'uint8' | 'int16' | 'uint16' | 'int32' | 'uint32' | 'int64' | 'uint64' | 'bool' | 'string' | 'int4' | 'uint4';

/** A tensor on its way between threads: elements in row-major order, as bytes that change owner, or as strings. */
export interface WireTensor {
  readonly type: OrtType;
  readonly shape: readonly number[];
  readonly data: ArrayBuffer | readonly string[];
}

/** What a session says about an output. `shape` is empty for a scalar and for an unknown rank; an unknown axis is ''. */
export interface WireOutput {
  readonly name: string;
  /** Undefined for sequences, optionals and maps. */
  readonly type: OrtType | undefined;
  readonly shape: readonly (number | string)[];
}

/** How a session is made; see onnxruntime-node's SessionOptions. */
export interface SessionSettings {
  readonly optimization: 'disabled' | 'basic' | 'extended' | 'all';
  readonly threads: number;
  /** A file for the optimised model. */
  readonly optimizedTo?: string;
}

/** Index of the shared word that is 1 while the worker is inside a native call. */
export const calling = 0;
/** Index of the shared word that is 1 when the worker must begin no further call and end. */
export const stopping = 1;

/** What the worker can be asked to do. */
export type Task =
  /** Makes a session from bytes or from a file; the answer is its outputs. */
  | { readonly kind: 'create'; readonly session: number; readonly model: Uint8Array | string; readonly settings: SessionSettings }
  /** Makes a session, reads its outputs and drops it again: type inference. */
  | { readonly kind: 'describe'; readonly model: Uint8Array }
  /** Runs a session; the answer is the fetched tensors in their order. */
  | { readonly kind: 'run'; readonly session: number; readonly feeds: ReadonlyMap<string, WireTensor>; readonly fetch: readonly string[] }
  | { readonly kind: 'release'; readonly session: number };

/** The answer to each kind of task. */
export interface Answers {
  create: readonly WireOutput[];
  describe: readonly WireOutput[];
  run: readonly WireTensor[];
  release: undefined;
}

export type Request = Task & { readonly id: number };

/** An answer, or why there is none: the package is missing, or ONNX Runtime's own words. */
export type Reply =
  | { readonly id: number; readonly answer: Answers[keyof Answers] }
  | { readonly id: number; readonly failure: { readonly missing: boolean; readonly message: string } };

const names = {
  float: 'float32', double: 'float64', float16: 'float16', int8: 'int8', uint8: 'uint8', int16: 'int16', uint16: 'uint16',
  int32: 'int32', uint32: 'uint32', int64: 'int64', uint64: 'uint64', bool: 'bool', string: 'string', int4: 'int4', uint4: 'uint4',
} as const satisfies Partial<Record<DType, OrtType>>;

const dtypes = new Map<string, DType>(Object.entries(names).map(([dtype, name]) => [name, dtype as DType]));

/** The name of an element type in onnxruntime-node, if it has one. */
export function ortTypeOf(dtype: DType): OrtType | undefined {
  return (names as Partial<Record<DType, OrtType>>)[dtype];
}

/** The element type that onnxruntime-node calls so. */
export function dtypeOfOrt(type: OrtType): DType {
  return dtypes.get(type)!;
}

/** The element types whose tensors cross into JavaScript. */
export function crosses(dtype: DType): boolean {
  return dtype in names && dtype !== 'int4' && dtype !== 'uint4';
}
