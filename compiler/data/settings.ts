/** The settings of a reader as the recipe's schema (compiler/recipe/data-schema.ts) lets them through; paths are relative to the recipe's folder. */
export interface ReaderSettings extends InputReaderSettings {
  readonly samples?: number;
  readonly seed?: number;
  readonly skip?: number;
  readonly every?: number;
  readonly except?: number;
  readonly batch?: number;
  readonly labels?: string | LabelSettings;
  readonly metric?: string | MetricSettings;
  readonly inputs?: Readonly<Record<string, InputReaderSettings>>;
}

/** The settings of a reader that feeds one input. */
export interface InputReaderSettings {
  readonly images?: string;
  readonly npy?: string;
  readonly npz?: string;
  readonly raw?: string;
  readonly pb?: string;
  readonly module?: string;
  readonly random?: RandomSettings;
  readonly value?: number | readonly number[];
  readonly preprocess?: Preset | PreprocessSettings;
  readonly shape?: readonly number[];
  readonly dtype?: ArrayType;
  readonly offset?: number;
}

export interface RandomSettings {
  readonly seed: number;
  readonly min?: number;
  readonly max?: number;
}

export type Preset = 'imagenet' | 'imagenet-caffe' | 'tf' | 'zero-one' | 'none';

/** Element types of arrays in files, as recipes write them. */
export type ArrayType = 'float32' | 'float16' | 'float64' | 'uint8' | 'int8' | 'uint16' | 'int16' | 'uint32' | 'int32' | 'uint64' | 'int64' | 'bool';

export type Layout = 'nchw' | 'nhwc';

export interface PreprocessSettings {
  readonly preset?: Preset;
  readonly resize?: readonly number[];
  readonly kernel?: 'linear' | 'cubic' | 'lanczos' | 'nearest';
  readonly crop?: readonly number[];
  readonly letterbox?: boolean | 'centre' | 'top-left';
  readonly fill?: number;
  readonly order?: 'rgb' | 'bgr' | 'grey';
  readonly layout?: Layout;
  readonly from?: Layout;
  readonly scale?: number;
  readonly mean?: number | readonly number[];
  readonly std?: number | readonly number[];
  readonly dtype?: ArrayType;
}

export interface LabelSettings {
  readonly file: string;
  readonly dtype?: 'uint8' | 'uint16' | 'int32' | 'int64' | 'float32';
  readonly column?: string;
  readonly offset?: number;
}

export interface MetricSettings {
  readonly name: string;
  readonly decode?: string;
  readonly output?: string;
}
