import { resolve } from 'node:path';
import type { Model, Node, Value } from '../ir/model.ts';
import { printType, shapeOf, type Type } from '../ir/type.ts';
import { costOf } from '../passes/cost.ts';
import { Diagnostics, quietHost, type Host } from './host.ts';
import { giveShapes } from './given-shapes.ts';
import { openModelFile, type OpenedModel } from './files/model-file.ts';
import { figuresOf, type Figures } from './instruments/statistics.ts';
import { inferTypes } from './manager.ts';
import { normalized } from './prepare.ts';
import { ModelIndex } from './recipe/model-index.ts';
import { normalise } from './recipe/options.ts';
import { parseValue } from './recipe/parse.ts';
import { Problems } from './recipe/problems.ts';
import type { Schema } from './recipe/schema.ts';
import { definitions } from './recipe/envelope.ts';
import { checkSelector, operatorName, selectNodes } from './recipe/select.ts';
import { validateTree } from './recipe/validate.ts';
import { createRuntime } from './runtime/runtime.ts';

/** One operator of a model, all its nodes together. A constant that several operators read counts for the first. */
export interface OperatorRow {
  readonly operator: string;
  readonly nodes: number;
  /** Undefined where they cannot be told for one of the nodes. */
  readonly macs: number | undefined;
  readonly parameters: number;
  readonly bytes: number;
}

/** One node that a selector names. */
export interface NodeRow {
  readonly name: string;
  readonly operator: string;
  readonly outputs: readonly string[];
  readonly macs: number | undefined;
  readonly parameters: number;
  readonly bytes: number;
}

/** What `onnxpress inspect` shows. */
export interface Inspection {
  readonly file: string;
  readonly irVersion: number;
  readonly opsets: Readonly<Record<string, number>>;
  readonly producer: string;
  readonly metadata: Readonly<Record<string, string>>;
  readonly inputs: readonly { readonly name: string; readonly type: string }[];
  readonly outputs: readonly { readonly name: string; readonly type: string }[];
  /** Of the whole model. */
  readonly figures: Figures;
  /** Of the selected nodes, the most expensive operator first. */
  readonly operators: readonly OperatorRow[];
  /** Only with a selector. */
  readonly nodes?: readonly NodeRow[];
  /** What the normalisation at the beginning of a compile would do. */
  readonly normalization: readonly { readonly what: string; readonly count: number }[];
}

export interface InspectOptions {
  readonly host?: Partial<Host>;
  /** A selector as YAML or JSON, such as `{ op: Conv }`. */
  readonly where?: string;
  /** `INPUT=1,3,224,224` or `SYMBOL=8`: lengths for axes that the model leaves open, so that shapes and operations behind them are known. */
  readonly shapes?: readonly string[];
}

/** Opens a model as a compile sees it at its first step: normalised and typed, with these shapes of its inputs. The result must be closed. */
export async function openTyped(path: string, host: Host, shapes: readonly string[] = []): Promise<OpenedModel & { readonly normalization: ReturnType<typeof normalized> }> {
  const opened = openModelFile(resolve(host.cwd, path), path);
  const runtime = createRuntime();
  try {
    const normalization = normalized(opened.model);
    giveShapes(opened.model, path, shapes);
    await inferTypes(opened.model, runtime);
    host.signal.throwIfAborted();
    return { ...opened, normalization };
  } catch (error) {
    opened.close();
    throw error;
  } finally {
    await runtime.close();
  }
}

/** Describes a model: operators with what they cost, interface, versions. Throws Diagnostics for an unreadable model, or for a selector or shape that is wrong. */
export async function inspect(path: string, { host: given, where, shapes }: InspectOptions = {}): Promise<Inspection> {
  const opened = await openTyped(path, quietHost(given), shapes);
  try {
    const { model, normalization } = opened;
    const selected = where === undefined ? undefined : nodesOf(where, model);
    return describe(path, model, selected, normalization);
  } finally {
    opened.close();
  }
}

function describe(file: string, model: Model, selected: readonly Node[] | undefined, normalization: Awaited<ReturnType<typeof openTyped>>['normalization']): Inspection {
  const { irVersion, opsets, producerName = '', producerVersion = '', graph } = model;
  const nodes = selected ?? [...model.graphs()].flatMap((each) => [...each.walk()]);
  return {
    file, irVersion,
    opsets: Object.fromEntries([...opsets].map(([domain, version]) => [domain || 'ai.onnx', version])),
    producer: `${producerName} ${producerVersion}`.trim(),
    metadata: Object.fromEntries(model.extras?.metadata ?? []),
    inputs: graph.inputs.map(({ name, type }) => ({ name, type: printType(type) })),
    outputs: graph.outputs.map(({ name, value, type }) => ({ name, type: printType(knownType(type, value.type)) })),
    figures: figuresOf(model),
    operators: operatorRows(nodes),
    ...(selected && { nodes: selected.map((node) => ({ name: node.name, operator: operatorName(node), outputs: node.outputs.map((value) => printType(value?.type)), ...costOf(node) })) }),
    normalization: normalization.map(({ what, count }) => ({ what, count })),
  };
}

/** What is known of an output: the axes that are declared, and lengths that inference found behind symbols and unknown ones. */
function knownType(declared: Type | undefined, inferred: Type | undefined): Type | undefined {
  const [names, found] = [shapeOf(declared), shapeOf(inferred)];
  if (inferred?.kind !== 'tensor' || names?.length !== found?.length) return inferred ?? declared;
  return { ...inferred, shape: found?.map((dim, axis) => (typeof dim === 'number' ? dim : names![axis] ?? dim)) };
}

function operatorRows(nodes: readonly Node[]): OperatorRow[] {
  const rows = new Map<string, OperatorRow>();
  const counted = new Set<Value>();
  for (const node of nodes) {
    const operator = operatorName(node);
    const { macs, parameters, bytes } = costOf(node, undefined, counted);
    const row = rows.get(operator) ?? { operator, nodes: 0, macs: 0, parameters: 0, bytes: 0 };
    rows.set(operator, {
      operator, nodes: row.nodes + 1, macs: macs === undefined || row.macs === undefined ? undefined : row.macs + macs,
      parameters: row.parameters + parameters, bytes: row.bytes + bytes,
    });
  }
  return [...rows.values()].sort((a, b) => (b.macs ?? 0) - (a.macs ?? 0) || b.bytes - a.bytes || b.nodes - a.nodes || (a.operator < b.operator ? -1 : 1));
}

const selectorSchema: Schema = { definitions, $ref: '#/definitions/selector' };

/** The nodes that a selector written on the command line names. */
function nodesOf(where: string, model: Model): readonly Node[] {
  const problems = new Problems();
  const written = parseValue('--where', where, problems);
  const selector = written && normalise(written, selectorSchema, '', definitions);
  if (selector === undefined || !validateTree(selectorSchema, selector, problems, { what: 'a selector' })) throw new Diagnostics(problems.list);
  const refuse = (): void => { if (problems.failed) throw new Diagnostics(problems.list); };
  checkSelector(selector, undefined, problems);
  refuse();
  const nodes = selectNodes(selector, undefined, new ModelIndex(model), problems);
  refuse();
  return [...nodes];
}
