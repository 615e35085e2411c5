import type { DType } from '../../ir/dtype.ts';
import { Diagnostic } from '../../ir/diagnostic.ts';
import type { Model } from '../../ir/model.ts';
import { printType, type Dim } from '../../ir/type.ts';
import type { Layout } from './settings.ts';

/** An input of the model that must be fed. */
export interface ModelInput {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: readonly Dim[];
  /** What a sample fills: the shape without its batch axis, or the whole shape; symbols with a known size are filled in. */
  readonly sample: readonly Dim[];
  /** Whether axis 0 counts samples. */
  readonly batched: boolean;
}

/** How samples become runs of the model. */
export interface Interface {
  readonly inputs: readonly ModelInput[];
  /** Samples in a run: any number, or exactly this many. */
  readonly batch: 'free' | number;
}

/**
 * The inputs that have no default, and the batch. Axis 0 counts samples if it is symbolic in every input that has axes, or the same number in
 * all of them; otherwise a run takes one sample, which is the whole inputs. Inputs in `fixed` (the same value in every run) have no say; a scalar
 * that is not among them has a value for each sample, so that a run takes one. Where another axis of an input has the length of the batch, or may have it (the states of recurrent models), a run takes one sample too. `sizes` are the lengths of symbols. Throws `data/inputs` for an input that is no tensor of known element type and rank.
 */
export function interfaceOfModel(model: Model, fixed: ReadonlySet<string>, sizes: ReadonlyMap<string, number>): Interface {
  const inputs = model.graph.inputs.filter(({ tensor }) => tensor === undefined).map(({ name, type }) => {
    if (type?.kind !== 'tensor' || type.dtype === undefined || type.shape === undefined || type.sparse) {
      throw new Diagnostic('data/inputs', `the input '${name}' of the model is ${printType(type)}: data can be read only for dense tensors of known element type and rank`, {
        tensor: name, suggestion: 'Export the model with typed inputs.',
      });
    }
    return { name, dtype: type.dtype, shape: type.shape };
  });
  const leading = inputs.filter(({ name, shape }) => shape.length > 0 && !fixed.has(name)).map(({ shape }) => shape[0]);
  const free = leading.length > 0 && leading.every((dim) => typeof dim !== 'number');
  const literal = leading.length > 0 && typeof leading[0] === 'number' && leading.every((dim) => dim === leading[0]) ? leading[0] : undefined;
  const known = (dim: Dim): Dim => (typeof dim === 'string' ? sizes.get(dim) ?? dim : dim);
  const symbol = leading[0];
  const batched = free || literal !== undefined;
  const elsewhere = inputs.some(({ name, shape }) => shape.slice(1).map(known).some((dim) => typeof dim !== 'number' && ((dim !== undefined && leading.includes(dim)) || fixed.has(name))));
  const lone = inputs.some(({ name, shape }) => shape.length === 0 && !fixed.has(name));
  return {
    batch: free && !elsewhere && !lone ? 'free' : literal ?? 1,
    inputs: inputs.map(({ name, dtype, shape }) => {
      // A fixed input has the batch on axis 0 only where the others say so with the same symbol or number.
      const counts = batched && shape.length > 0 && (!fixed.has(name) || (typeof shape[0] === typeof symbol && (shape[0] === symbol || free)));
      return { name, dtype, shape, batched: counts, sample: (counts ? shape.slice(1) : shape).map(known) };
    }),
  };
}

/** `float[N,3,224,224]`, as messages write what the model wants. */
export function wanted({ dtype, shape }: ModelInput): string {
  return printType({ kind: 'tensor', dtype, shape });
}

/** The order of axes that an input for images has, by its number of channels; nchw where that does not tell. */
export function layoutOf({ sample }: ModelInput): Layout {
  const channels = (dim: Dim): boolean => dim === 1 || dim === 3 || dim === 4;
  const axes = sample.length === 4 ? sample.slice(1) : sample;
  return axes.length === 3 && channels(axes[2]) && !channels(axes[0]) ? 'nhwc' : 'nchw';
}

/** Height and width that an input for images has, where they are known. */
export function imageSize(input: ModelInput, layout: Layout): readonly [number, number] | undefined {
  const axes = input.sample.slice(-3);
  const [height, width] = layout === 'nhwc' ? [axes.at(-3), axes.at(-2)] : [axes.at(-2), axes.at(-1)];
  return typeof height === 'number' && typeof width === 'number' && input.sample.length >= 2 ? [height, width] : undefined;
}
