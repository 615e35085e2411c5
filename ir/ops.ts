import { createRequire } from 'node:module';

/** The kinds of attributes an operator may declare, as AttributeProto.AttributeType names them, in lower case. */
export type AttributeKind =
  | 'float' | 'int' | 'string' | 'tensor' | 'graph' | 'sparse_tensor' | 'type_proto'
  | 'floats' | 'ints' | 'strings' | 'tensors' | 'graphs' | 'sparse_tensors' | 'type_protos';

/** What an operator says about one attribute: an attribute is required, or has a default, or may be absent and then means what the operator's text says. */
export interface AttributeFacts {
  readonly type: AttributeKind;
  readonly required?: boolean;
  readonly default?: number | string | readonly number[] | readonly string[];
}

/** One version of an operator. */
export interface OpFacts {
  /** The opset that brought this version; it holds until a later version's opset. */
  readonly since: number;
  /** Fewest and most inputs; the most is Infinity for variadic operators. */
  readonly inputs: readonly [number, number];
  /** Fewest and most outputs, likewise. */
  readonly outputs: readonly [number, number];
  /** Indices of the inputs that may be missing or have an empty name. */
  readonly optional: readonly number[];
  /** True if the last declared input repeats. */
  readonly variadic: boolean;
  readonly attributes: ReadonlyMap<string, AttributeFacts>;
  /** True if the operator ended with this version. */
  readonly deprecated: boolean;
  /** Whether two runs may give different outputs: never, always, or only when the node is asked to behave as in training. Bodies of subgraphs count for themselves. */
  readonly random: false | 'training' | 'always';
  /** True if the operator has two inputs and their order makes no difference to any bit of the output. */
  readonly commutative: boolean;
}

/** An operator's version as specs/onnx-ops.json stores it: facts that say no are left out, and null stands for unbounded. */
interface Row {
  readonly since: number;
  readonly inputs: readonly [number, number | null];
  readonly outputs: readonly [number, number | null];
  readonly optional?: readonly number[];
  readonly variadic?: boolean;
  readonly attributes?: Readonly<Record<string, AttributeFacts>>;
  readonly deprecated?: boolean;
  readonly random?: 'training' | 'always';
  readonly commutative?: boolean;
}

const rows = new Map(Object.entries(createRequire(import.meta.url)('#specs/onnx-ops.json') as Record<string, readonly Row[]>));
const known = new Map<string, readonly OpFacts[]>();

/** The newest opset of the default domain that the table covers. Later opsets get the facts of this one. */
export const newestOpset = 26;

/**
 * The facts of an operator in a given opset: those of its latest version that is not newer than the opset.
 * Undefined for operators that the table does not hold: foreign domains, and operators that came after that opset.
 * The same arguments give the same object. The table covers the default domain (also spelt `ai.onnx`) and `ai.onnx.ml`;
 * it states the schemas that the onnx package 1.23.1 registers, and what these do not say: `random` and `commutative`.
 */
export function opFacts(domain: string, op: string, opset: number): OpFacts | undefined {
  return versions(domain === 'ai.onnx' ? '' : domain, op).findLast((facts) => facts.since <= opset);
}

function versions(domain: string, op: string): readonly OpFacts[] {
  if (op.includes('::')) return [];
  const key = domain === '' ? op : `${domain}::${op}`;
  let facts = known.get(key);
  const stored = facts ? undefined : rows.get(key);
  if (stored) known.set(key, facts = stored.map(factsOf));
  return facts ?? [];
}

function factsOf(row: Row): OpFacts {
  return {
    since: row.since,
    inputs: bounds(row.inputs),
    outputs: bounds(row.outputs),
    optional: row.optional ?? [],
    variadic: row.variadic ?? false,
    attributes: new Map(Object.entries(row.attributes ?? {})),
    deprecated: row.deprecated ?? false,
    random: row.random ?? false,
    commutative: row.commutative ?? false,
  };
}

function bounds([least, most]: Row['inputs']): [number, number] {
  return [least, most ?? Infinity];
}
