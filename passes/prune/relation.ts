import type { Node } from '../../ir/model.ts';
import type { Editor } from '../../ir/edit.ts';
import type { Flow } from './flow.ts';
import type { Survivors } from './survivors.ts';

/** Follows the channels through one node: reads the layouts of its inputs, ties and pins atoms, and sets the layouts of its outputs. */
export type Relate = (node: Node, flow: Flow) => void;

/**
 * Writes into a node what must change with the lengths of its inputs and outputs: attributes and constant lists of lengths, positions and sizes. Weights need nothing: constants are cut by their layouts.
 * Runs when nothing has been cut yet: types and constants are those of before.
 */
export type Rewire = (node: Node, survivors: Survivors, edit: Editor) => void;

/** What the channels do at an operator: one row of the table. */
export interface Relation {
  readonly relate: Relate;
  readonly rewire?: Rewire;
}

/** The rows of one family of operators, by name in the ONNX domain. */
export type Relations = Readonly<Record<string, Relation | Relate>>;
