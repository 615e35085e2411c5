import type { Diagnostic } from '../../ir/diagnostic.ts';
import type { Model } from '../../ir/model.ts';
import { printModel } from '../../ir/text/index.ts';
import type { RemarkRecord } from '../instruments/instrument.ts';

/** Elements beyond which a tensor is printed as its hash. */
const elideAbove = 32;

/** A model as expectations show it: without types of inner values, large tensors as hashes. */
export function modelText(model: Model): string {
  return printModel(model, { elideAbove, types: 'none' });
}

/** The expectation of a case: the model after the pass, without the header if that is as before, or `unchanged`; then the remarks. */
export function resultText(before: string, after: string, remarks: readonly RemarkRecord[]): string {
  const model = before === after ? 'unchanged' : headerOf(before) === headerOf(after) ? after.slice(headerOf(after).length) : after;
  return [model.trimEnd(), ...remarks.map(remarkText)].join('\n');
}

/** The expectation of a case that the pass refuses. */
export function refusalText({ code, message }: Diagnostic): string {
  return `# fails ${code}: ${oneLine(message)}`;
}

function remarkText({ kind, rule, message, node, tensor }: RemarkRecord): string {
  const place = `${node === undefined ? '' : ` at ${node.name}`}${tensor === undefined ? '' : ` on ${tensor}`}`;
  return oneLine(`# ${kind} ${rule}${place}: ${message}`);
}

function oneLine(text: string): string {
  return text.replace(/\s+/g, ' ').trim();
}

/** `<…>` and the line break behind it, at the start of a model's text. */
function headerOf(text: string): string {
  return text.slice(0, text.indexOf('\n>\n') + 3);
}
