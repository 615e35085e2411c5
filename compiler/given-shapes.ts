import { Diagnostic, type DiagnosticDetails } from '../ir/diagnostic.ts';
import { Editor } from '../ir/edit.ts';
import type { Model } from '../ir/model.ts';
import { Diagnostics } from './host.ts';
import { fixShape, fixSymbol, inputSymbols, shapeMistake } from './input-shapes.ts';
import { didYouMean } from './recipe/suggest.ts';

/** Fixes what `INPUT=1,3,224,224` and `SYMBOL=8` say. Types of inner values have to be inferred afterwards. Throws Diagnostics with all that do not fit, in the name of the model's `file`. */
export function giveShapes(model: Model, file: string, shapes: readonly string[]): void {
  const edit = new Editor(model);
  const problems: Diagnostic[] = [];
  for (const text of shapes) {
    const refuse = (message: string, details: DiagnosticDetails): void => { problems.push(new Diagnostic('usage/bad-shape', message, { file, ...details })); };
    const [, name, lengths] = /^(.+)=(\d{1,9}(?:[,x]\d{1,9})*)$/.exec(text) ?? [];
    if (name === undefined || lengths === undefined) {
      refuse(`--shape takes NAME=LENGTHS, not ${JSON.stringify(text)}`, { suggestion: 'Write --shape INPUT=1,3,224,224 for an input, or --shape SYMBOL=8 for a symbol.' });
      continue;
    }
    const shape = lengths.split(/[,x]/).map(Number);
    const symbols = inputSymbols(model);
    if (symbols.includes(name) && shape.length === 1) {
      fixSymbol(model, edit, name, shape[0]!);
      continue;
    }
    const mistake = shapeMistake(model, name, shape);
    if (mistake === undefined) {
      fixShape(model, edit, name, shape);
      continue;
    }
    const { message, expected } = mistake;
    const names = expected && [...expected, ...symbols];
    refuse(expected ? `${message} and no symbol of this name` : message, {
      ...(names && { expected: names }), suggestion: (names && didYouMean(name, names)) ?? 'Change the shape; `onnxpress inspect MODEL` shows what is declared.',
    });
  }
  if (problems.length > 0) throw new Diagnostics(problems);
}
