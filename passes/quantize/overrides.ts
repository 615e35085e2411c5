import { Diagnostic } from '../../ir/diagnostic.ts';
import type { Node } from '../../ir/model.ts';
import { globPattern, PatternError, type NamePattern } from '../name-pattern.ts';
import type { ValueRange } from '../statistics/grid.ts';
import type { RangeMethod } from '../statistics/statistics.ts';

/** What a recipe says about some layers: one entry of the option `overrides`, as it stands there. */
export interface OverrideOption {
  readonly nodes?: readonly string[];
  readonly ops?: readonly string[];
  readonly precision?: 'int8' | 'float';
  readonly method?: RangeMethod;
  readonly range?: { readonly min?: number; readonly max?: number };
}

/** What holds for one node. */
export interface Override {
  readonly precision?: 'int8' | 'float';
  readonly method?: RangeMethod;
  readonly range?: ValueRange;
}

/**
 * Reads the entries. Later ones win, field by field. Throws `quantize/override` for a glob that cannot be read, an entry that names nothing, and a
 * range that is no range.
 */
export function readOverrides(entries: readonly OverrideOption[]): (node: Node) => Override {
  const read = entries.map((entry, index) => {
    const { nodes, ops, precision, method, range } = entry;
    if (nodes === undefined && ops === undefined) throw wrong(index, 'names neither `nodes` nor `ops`', 'Say which layers it is for: nodes: [\'/head/**\'], or ops: [MatMul].');
    const patterns = nodes?.map((glob) => patternOf(glob, index));
    const applies = (node: Node): boolean => (ops === undefined || ops.includes(node.op))
      && (patterns === undefined || [node.name, ...node.origin].some((name) => patterns.some((matches) => matches(name))));
    return { applies, override: { ...(precision && { precision }), ...(method && { method }), ...((range?.min ?? range?.max) !== undefined && { range: rangeFrom(range!, index) }) } };
  });
  return (node) => Object.assign({}, ...read.filter(({ applies }) => applies(node)).map(({ override }) => override)) as Override;
}

/** Throws `quantize/override` for an entry that fits no node of the model. */
export function requireUsed(entries: readonly OverrideOption[], nodes: readonly Node[]): void {
  for (const [index, { nodes: names, ops }] of entries.entries()) {
    const of = readOverrides([{ ...(names && { nodes: names }), ...(ops && { ops }), precision: 'float' }]);
    if (nodes.every((node) => of(node).precision === undefined)) throw wrong(index, 'fits no node of the model', '`onnxpress inspect MODEL` lists the names.');
  }
}

function patternOf(glob: string, index: number): NamePattern {
  try {
    const pattern = globPattern(glob);
    return (name) => name === glob || pattern(name);
  } catch (error) {
    if (!(error instanceof PatternError)) throw error;
    throw wrong(index, `has the glob '${glob}', which ${error.message}`, 'Mend it; a backslash makes a special character plain.');
  }
}

function rangeFrom({ min, max }: NonNullable<OverrideOption['range']>, index: number): ValueRange {
  const [low, high] = [min ?? 0, max ?? 0];
  if (Number.isFinite(low) && Number.isFinite(high) && low < high) return { min: low, max: high };
  throw wrong(index, `has the range from ${low} to ${high}`, 'Give min below max; a bound that is left out is 0.');
}

function wrong(index: number, problem: string, suggestion: string): Diagnostic {
  return new Diagnostic('quantize/override', `entry ${index + 1} of \`overrides\` ${problem}`, { suggestion });
}
