import { filled } from '../../../compiler/testing/feeds.ts';
import { followed, type Followed } from '../../../compiler/testing/pruning.ts';
import { Editor } from '../../../ir/edit.ts';
import type { Node } from '../../../ir/model.ts';
import { normalizeModel } from '../../../ir/normalize.ts';
import { parseModel } from '../../../ir/text/index.ts';
import type { SelectionOptions } from '../../../passes/prune/options.ts';
import { selectChannels, type GroupSelection, type Removal } from '../../../passes/prune/select.ts';
import type { Runtime } from '../../../passes/runtime.ts';
import type { Statistics } from '../../../passes/statistics/statistics.ts';

/** What options say if a recipe does not. */
const defaults: SelectionOptions = { scope: 'layer', layers: [], lossless: false, importance: 'l2', residual: true, roundTo: 1, maxRatio: 0.9, minKeep: 1, steps: 1, seed: 0 };

export interface Choice extends Followed {
  readonly removal: Removal;
  /** The group that a node makes. */
  readonly group: (node: string) => GroupSelection;
  /** Positions in that group that are removed. */
  readonly gone: (node: string) => number[];
}

/** Parses a graph, follows its channels and selects some. */
export async function choose(text: string, options: Partial<SelectionOptions>, runtime: Runtime, { selected = () => true, statistics, opset = 18, heads }: { selected?: (node: Node) => boolean; statistics?: Partial<Statistics>; opset?: number; heads?: 'heads' | 'features' } = {}): Promise<Choice> {
  const subject = await open(text, runtime, opset, heads);
  const removal = await selectChannels(subject.model, subject.channels, { ...defaults, ...options }, {
    select: { has: selected, everything: false }, runtime, sizes: new Map(), statistics: statistics as Statistics | undefined,
  });
  const group = (node: string): GroupSelection => removal.groups.find(({ group: { producers } }) => producers.some((member) => member.node.outputs[0]?.name === node))!;
  return { ...subject, removal, group, gone: (node) => group(node).kept.flatMap((kept, at) => (kept ? [] : [at])) };
}

export async function open(text: string, runtime: Runtime, opset = 18, heads: 'heads' | 'features' = 'heads'): Promise<Followed> {
  const model = parseModel(`<ir_version: 8, opset_import: ["" : ${opset}]> g ${text}`, { name: 'case', fill: filled });
  normalizeModel(model, new Editor(model));
  return followed(model, runtime, heads);
}

/** A weight whose slab along its first axis number c is filled with `norms[c]`. */
export function slabs(name: string, dims: readonly number[], norms: readonly number[]): string {
  const size = dims.slice(1).reduce((product, dim) => product * dim, 1);
  return `float[${dims.join()}] ${name} = {${norms.flatMap((norm) => Array<string>(size).fill(norm.toFixed(4))).join()}}`;
}

/** Weights in a row, at random: `name[dims] …`. */
export const weights = (list: string): string => list.trim().split(/\s+/).map((each, at) => {
  const [, name, dims] = /^(\w+)(\[.*\])$/.exec(each)!;
  return `float${dims!} ${name!} = "random ${at + 7}"`;
}).join(', ');
