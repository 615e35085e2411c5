import type { Model } from '../../ir/model.ts';
import { graphCost } from '../../passes/cost.ts';
import { operatorName } from '../recipe/select.ts';
import type { Instrument } from './instrument.ts';

/** The size of a model in numbers. */
export interface Figures {
  /** Nodes, those of bodies and functions included; constants are no nodes. */
  readonly nodes: number;
  /** Operators and how often each occurs, the most frequent first; `domain::Op` outside the ONNX domain. */
  readonly operators: Readonly<Record<string, number>>;
  /** Multiply-accumulates of one sample; nodes for which they cannot be told are left out and counted in `uncounted`. */
  readonly macs: number;
  readonly uncounted: number;
  /** Trained numbers. */
  readonly parameters: number;
  /** Bytes of the constants. */
  readonly bytes: number;
}

/** Counts what a model holds. */
export function figuresOf(model: Model): Figures {
  const counts = new Map<string, number>();
  let nodes = 0;
  for (const graph of model.graphs()) {
    for (const node of graph.walk()) {
      const name = operatorName(node);
      counts.set(name, (counts.get(name) ?? 0) + 1);
      nodes++;
    }
  }
  const operators = Object.fromEntries([...counts].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1)));
  const { macs, unknown, parameters, bytes } = graphCost(model.graph);
  return { nodes, operators, macs, uncounted: unknown.length, parameters, bytes };
}

/** The figures before and after each step, by step id. */
export interface Statistics extends Instrument {
  readonly figures: ReadonlyMap<string, { readonly before: Figures; readonly after: Figures }>;
}

/** Counts around each step; an unchanged model is not counted again. */
export function statistics(): Statistics {
  const figures = new Map<string, { before: Figures; after: Figures }>();
  let current: { readonly version: number; readonly figures: Figures } | undefined;
  const count = (model: Model): Figures => {
    if (current?.version !== model.version) current = { version: model.version, figures: figuresOf(model) };
    return current.figures;
  };
  let before: Figures;
  return {
    figures,
    before(_step, model) { before = count(model); },
    after({ id }, model) { figures.set(id, { before, after: count(model) }); },
  };
}
