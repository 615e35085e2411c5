import type { Editor } from '../ir/edit.ts';
import type { Model, Value } from '../ir/model.ts';
import type { Dim, Type } from '../ir/type.ts';

/** Shapes of inputs as a recipe gives them, by name: the one shape, or a profile of the smallest, the usual and the largest. */
export type InputShapes = Readonly<Record<string, Readonly<Partial<Record<'shape' | 'min' | 'opt' | 'max', readonly number[]>>>>>;

/** A shape that does not fit: what is wrong, and the names that exist where the name is at fault. */
export interface ShapeMistake {
  readonly message: string;
  readonly expected?: readonly string[];
}

/** What is wrong with a shape for an input of the model; undefined if it fits what is declared: known axes keep their lengths. */
export function shapeMistake(model: Model, name: string, shape: readonly number[]): ShapeMistake | undefined {
  const inputs = inputsOf(model);
  const input = inputs.get(name);
  if (input === undefined) return { message: `the model has no input ${JSON.stringify(name)}`, expected: [...inputs.keys()] };
  if (input.type?.kind !== 'tensor') return { message: `the input '${name}' is no tensor` };
  const declared = input.type.shape;
  if (declared === undefined) return undefined;
  if (declared.length !== shape.length) return { message: `the input '${name}' has ${declared.length} axes, and the shape has ${shape.length}` };
  const axis = declared.findIndex((dim, index) => typeof dim === 'number' && dim !== shape[index]);
  if (axis >= 0) return { message: `axis ${axis} of the input '${name}' has length ${declared[axis]!}, and the shape says ${shape[axis]!}` };
  const symbol = declared.find((dim, index) => typeof dim === 'string' && declared.some((other, at) => other === dim && shape[at] !== shape[index]));
  return symbol === undefined ? undefined : { message: `all axes '${symbol}' of the input '${name}' have one length, and the shape gives them several` };
}

/** Gives an input a fixed shape, which must fit; its symbols get these lengths wherever inputs have them. Types of inner values have to be inferred afterwards. */
export function fixShape(model: Model, edit: Editor, name: string, shape: readonly number[]): void {
  const input = inputsOf(model).get(name)!;
  const declared = input.type?.kind === 'tensor' ? input.type.shape : undefined;
  edit.setType(input, withShape(input.type, shape));
  for (const [axis, dim] of (declared ?? []).entries()) if (typeof dim === 'string') fixSymbol(model, edit, dim, shape[axis]!);
}

/** Gives a symbol a length in all inputs. Returns the number of axes that had it. */
export function fixSymbol(model: Model, edit: Editor, symbol: string, length: number): number {
  let count = 0;
  for (const input of inputsOf(model).values()) {
    const declared = input.type?.kind === 'tensor' ? input.type.shape : undefined;
    const axes = declared?.filter((dim) => dim === symbol).length ?? 0;
    if (axes === 0) continue;
    edit.setType(input, withShape(input.type, declared!.map((dim) => (dim === symbol ? length : dim))));
    count += axes;
  }
  return count;
}

/** Symbols of the inputs, in order. */
export function inputSymbols(model: Model): string[] {
  const dims = [...inputsOf(model).values()].flatMap(({ type }) => (type?.kind === 'tensor' ? type.shape ?? [] : []));
  return [...new Set(dims.filter((dim) => typeof dim === 'string'))];
}

/** Inputs that are given from outside, by name. */
function inputsOf({ graph }: Model): ReadonlyMap<string, Value> {
  return new Map(graph.inputs.filter(({ tensor }) => tensor === undefined).map((value) => [value.name, value]));
}

function withShape(type: Type | undefined, shape: readonly Dim[]): Type | undefined {
  return type?.kind === 'tensor' ? { ...type, shape } : type;
}
