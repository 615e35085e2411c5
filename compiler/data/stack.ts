import { Diagnostic } from '../../ir/diagnostic.ts';
import { Tensor } from '../../ir/tensor.ts';
import type { Label } from '../../passes/data.ts';
import type { Feeds } from '../../passes/runtime.ts';
import type { ModelInput } from './inputs.ts';
import { wanted } from './inputs.ts';

/** A sample that is ready for the model. */
export interface ReadySample {
  readonly tensors: ReadonlyMap<string, Tensor>;
  readonly where: string;
  readonly label: Label | undefined;
}

/** Samples stacked along axis 0 of the inputs that have a batch; for the others all have the same. Throws `data/shape` if they differ in shape, or where they must be the same. */
export function stacked(samples: readonly ReadySample[], inputs: readonly ModelInput[]): Feeds {
  return new Map(inputs.map((input) => [input.name, input.batched ? stack(samples, input) : shared(samples, input)]));
}

function shared([first, ...others]: readonly ReadySample[], input: ModelInput): Tensor {
  const tensor = first!.tensors.get(input.name)!;
  const odd = others.find(({ tensors }) => Buffer.compare(tensors.get(input.name)!.bytes(), tensor.bytes()) !== 0);
  if (odd === undefined) return tensor;
  throw new Diagnostic('data/shape', `${first!.where} and ${odd.where} differ in the input '${input.name}' (${wanted(input)}), which has no axis for the samples of a run`, {
    tensor: input.name, suggestion: 'Give the input one `value` for all samples, or export the model with a batch of 1.',
  });
}

function stack(samples: readonly ReadySample[], input: ModelInput): Tensor {
  const parts = samples.map(({ tensors }) => tensors.get(input.name)!);
  const [first] = parts;
  const { dtype, shape } = first!;
  const odd = parts.findIndex((part) => part.shape.length !== shape.length || part.shape.some((dim, axis) => dim !== shape[axis]));
  if (odd >= 0) {
    throw new Diagnostic('data/shape', `${samples[odd]!.where} has the shape [${parts[odd]!.shape.join(', ')}] and ${samples[0]!.where} [${shape.join(', ')}]: they cannot share a batch of the input '${input.name}' (${wanted(input)})`, {
      tensor: input.name, suggestion: 'Resize them to one shape, or say `batch: 1`.',
    });
  }
  if (parts.length === 1) return first!.reshaped([1, ...shape]);
  const length = first!.byteLength;
  const bytes = new Uint8Array(length * parts.length);
  for (const [index, part] of parts.entries()) bytes.set(part.bytes(), index * length);
  return Tensor.fromBytes(dtype, [parts.length, ...shape], bytes);
}
