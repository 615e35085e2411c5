import { Diagnostic } from '../../ir/diagnostic.ts';
import type { Editor } from '../../ir/edit.ts';
import type { Model, Node } from '../../ir/model.ts';
import { newestOpset, opFacts } from '../../ir/ops.ts';
import type { Converter } from './converter.ts';
import { compatible, converters } from './converters.ts';

/** The oldest opset that can be converted: before it, broadcasting was spelled out by attributes. */
export const oldestConvertible = 7;

/** The newest opset for which `compatible` was checked. */
export const newestConvertible = 21;

/** The IR version that came with an opset, or before it (onnx `Versioning`). */
const irVersions: readonly (readonly [opset: number, irVersion: number])[] = [[21, 10], [19, 9], [15, 8], [12, 7], [11, 6], [10, 5], [9, 4], [7, 3]];

/**
 * Says whether all nodes of the model can be taken over into a later opset of the default domain. Throws `opset/no-conversion` with the first node that
 * cannot. Changes nothing.
 */
export function checkRaise(model: Model, to: number): void {
  const from = model.opset() ?? 0;
  if (to <= from) return;
  if (from < oldestConvertible || to > Math.min(newestConvertible, newestOpset)) {
    throw new Diagnostic('opset/no-conversion', `opset ${from} is not converted to ${to}: conversions go from ${oldestConvertible} to ${newestConvertible}`, {
      suggestion: 'Export the model again with a newer opset.',
    });
  }
  for (const node of model.graph.walk()) {
    const refusal = refusalOf(node, from, to);
    if (refusal !== undefined) {
      throw new Diagnostic('opset/no-conversion', `${node.op} of node '${node.name}' cannot be taken from opset ${from} to ${to}: ${refusal}`, {
        node: node.reference, suggestion: `Export the model again with opset ${to}, or leave the node out by rewriting the model.`,
      });
    }
  }
}

function refusalOf(node: Node, from: number, to: number): string | undefined {
  if (node.domain !== '') return undefined;
  let { op } = node;
  for (let version = from + 1; version <= to; version++) {
    const facts = opFacts('', op, version);
    if (facts === opFacts('', op, version - 1)) continue;
    if (!compatible.has(op)) return `there is no conversion for the change of opset ${version}`;
    const converter = converterOf(op, version);
    const refusal = converter?.refuses?.(node);
    if (refusal !== undefined) return refusal;
    op = converter?.becomes ?? op;
  }
  return undefined;
}

function converterOf(op: string, version: number): Converter | undefined {
  return converters.get(op)?.find((converter) => converter.version === version);
}

/**
 * Takes a model into a later opset of the default domain, node by node and version by version; nothing but the form changes: on every input the outputs are the same. Raises the IR
 * version to the one of that opset at least. Values keep their names, and nodes that need not be replaced stay. Throws as `checkRaise` does, before it changes anything.
 * Returns how many nodes changed.
 */
export function raiseOpset(model: Model, edit: Editor, to: number): number {
  const from = model.opset() ?? 0;
  if (to <= from) return 0;
  checkRaise(model, to);
  let converted = 0;
  for (let version = from + 1; version <= to; version++) {
    for (const node of [...model.graph.walk()]) {
      const converter = node.domain === '' ? converterOf(node.op, version) : undefined;
      if (converter === undefined) continue;
      const before = edit.changes;
      converter.convert(node, edit);
      if (edit.changes > before) converted++;
    }
  }
  const irVersion = irVersions.find(([opset]) => opset <= to)![1];
  edit.setModel({ opsets: new Map([...model.opsets, ['', to]]), irVersion: Math.max(model.irVersion, irVersion) });
  return converted;
}
