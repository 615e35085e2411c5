import { Diagnostic } from '../../ir/diagnostic.ts';
import type { DType } from '../../ir/dtype.ts';
import type { Editor } from '../../ir/edit.ts';
import type { Model } from '../../ir/model.ts';
import { newestOpset, opFacts } from '../../ir/ops.ts';
import { dtypeOfType } from '../../ir/type.ts';
import type { Target } from '../target.ts';

/** The IR version that brought each element type; all others are as old as IR 3 (onnx.proto, comments on IR versions). */
const typeVersions: ReadonlyMap<DType, number> = new Map<DType, number>([
  ['bfloat16', 4], ['float8e4m3fn', 9], ['float8e4m3fnuz', 9], ['float8e5m2', 9], ['float8e5m2fnuz', 9],
  ['uint4', 10], ['int4', 10], ['float4e2m1', 11], ['float8e8m0', 12], ['uint2', 13], ['int2', 13], ['float6e2m3', 14], ['float6e3m2', 14],
]);

/**
 * Declares the opset and IR version that are asked for. Throws `export/opset` with the first node whose operator is not the same in both
 * opsets, and `export/ir-version` with what is younger than the version: nothing is converted.
 */
export function checkedVersions(model: Model, edit: Editor, { opset, irVersion }: { readonly opset?: number; readonly irVersion?: number }): void {
  if (opset !== undefined && opset !== model.opset()) {
    checkOpset(model, opset);
    edit.setModel({ opsets: new Map([...model.opsets, ['', opset]]) });
  }
  if (irVersion !== undefined && irVersion !== model.irVersion) {
    checkIrVersion(model, irVersion);
    edit.setModel({ irVersion });
  }
}

/**
 * Declares IR version 4 for an older model with initializers, unless a version is asked for: before, each had to be an input as well, which
 * the model no longer says. Returns the version that the model had if it was raised.
 */
export function raisedIrVersion(model: Model, edit: Editor): number | undefined {
  const { irVersion } = model;
  if (irVersion >= 4 || model.graph.constants.size === 0) return undefined;
  edit.setModel({ irVersion: 4 });
  return irVersion;
}

function checkOpset(model: Model, wanted: number): void {
  if (wanted > newestOpset) {
    throw new Diagnostic('export/opset', `opset ${wanted} is not known: the newest is ${newestOpset}`, { suggestion: `Ask for ${newestOpset} or less, or leave \`opset\` out.` });
  }
  const present = model.opset() ?? 0;
  for (const node of model.graph.walk()) {
    if (node.domain !== '' || opFacts('', node.op, present) === opFacts('', node.op, wanted)) continue;
    throw new Diagnostic('export/opset', `opset ${wanted} is asked for, and ${node.op} of node '${node.name}' is not the same there as in opset ${present}`, {
      node: node.reference, suggestion: 'Leave `opset` out to keep the opset of the model, or export the model again for the opset that you want.',
    });
  }
}

function checkIrVersion(model: Model, wanted: number): void {
  for (const { version, what } of features(model)) {
    if (version <= wanted) continue;
    throw new Diagnostic('export/ir-version', `IR version ${wanted} is asked for, and the model has ${what}, which came with version ${version}`, {
      suggestion: `Leave \`irVersion\` out, or ask for ${version} or more.`,
    });
  }
}

/** What in a model needs which IR version at least. */
function* features(model: Model): Iterable<{ readonly version: number; readonly what: string }> {
  if (model.functions.size > 0) yield { version: 8, what: 'local functions' };
  for (const { overload } of model.functions.values()) if (overload !== '') yield { version: 10, what: 'overloaded functions' };
  for (const graph of model.graphs()) {
    // Before version 4 every initializer had to be an input as well, and callers could override it.
    if (graph.constants.size > 0) yield { version: 4, what: 'initializers that are no inputs' };
    for (const value of graph.values()) yield* typeFeature(value.type && dtypeOfType(value.type), value.name);
    for (const node of graph.walk()) {
      if (node.extras?.metadata !== undefined) yield { version: 10, what: `metadata on node '${node.name}'` };
      if (node.deviceConfigurations !== undefined) yield { version: 11, what: `a device configuration on node '${node.name}'` };
      for (const body of node.subgraphs) for (const value of body.values()) yield* typeFeature(value.type && dtypeOfType(value.type), value.name);
    }
  }
}

function* typeFeature(dtype: DType | undefined, name: string): Iterable<{ readonly version: number; readonly what: string }> {
  const version = dtype === undefined ? undefined : typeVersions.get(dtype);
  if (version !== undefined) yield { version, what: `the ${dtype} tensor '${name}'` };
}

/** What the target says against the versions that are written. */
export function targetRemarks(model: Model, target: Target): string[] {
  const range = (fact: unknown): { readonly min: number; readonly max: number } | undefined =>
    typeof fact === 'object' && fact !== null && 'min' in fact && 'max' in fact ? fact as { min: number; max: number } : undefined;
  const check = (what: string, version: number | undefined, allowed: { readonly min: number; readonly max: number } | undefined): string[] =>
    version === undefined || allowed === undefined || (version >= allowed.min && version <= allowed.max) ? []
      : [`${what} ${version} is written, and ${target.name} reads ${allowed.min} to ${allowed.max}`];
  return [...check('opset', model.opset(), range(target['opset'])), ...check('IR version', model.irVersion, range(target['irVersion']))];
}
