import { Diagnostic } from '../../../ir/diagnostic.ts';
import type { Node } from '../../../ir/model.ts';
import { globPattern, PatternError, type NamePattern } from '../../name-pattern.ts';
import type { ChannelGroup } from '../groups.ts';
import type { SelectionOptions } from '../options.ts';

/** What a recipe says about the channels of some layers. */
export interface LayerWish {
  readonly amount?: number;
  readonly maxRatio?: number;
}

/**
 * What the entries of `layers` say about each group: an entry means a group if it fits one of the layers that make it; later entries win, field by field. Throws `prune/layers` for an entry that names nothing, says nothing, has a glob that
 * cannot be read, or fits no layer that makes channels.
 */
export function layerWishes(entries: SelectionOptions['layers'], groups: readonly ChannelGroup[]): LayerWish[] {
  const wishes: LayerWish[] = groups.map(() => ({}));
  for (const [index, { nodes, ops, amount, maxRatio }] of entries.entries()) {
    if (nodes === undefined && ops === undefined) throw wrong(index, 'names neither `nodes` nor `ops`', 'Say which layers it is for: nodes: [\'/layer4/**\'], or ops: [Gemm].');
    if (amount === undefined && maxRatio === undefined) throw wrong(index, 'says neither `amount` nor `maxRatio`', 'Say what holds for these layers.');
    const patterns = nodes?.map((glob) => patternOf(glob, index));
    const fits = (node: Node): boolean => (ops === undefined || ops.includes(node.op)) && (patterns === undefined || [node.name, ...node.origin].some((name) => patterns.some((matches) => matches(name))));
    const meant = groups.map(({ producers }) => producers.some(({ node }) => fits(node)));
    if (!meant.includes(true)) throw wrong(index, 'fits no layer that makes channels', '`onnxpress inspect MODEL --groups` lists them.');
    meant.forEach((each, group) => { if (each) wishes[group] = { ...wishes[group], ...(amount !== undefined && { amount }), ...(maxRatio !== undefined && { maxRatio }) }; });
  }
  return wishes;
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

function wrong(index: number, problem: string, suggestion: string): Diagnostic {
  return new Diagnostic('prune/layers', `entry ${index + 1} of \`layers\` ${problem}`, { suggestion });
}
