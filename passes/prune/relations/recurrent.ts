import type { Relation, Relations } from '../relation.ts';
import { along } from './along.ts';
import { consume } from './convolution.ts';

/**
 * A recurrent layer: X […, …, I] with either of its axes first, W [directions, gates·H, I], R [directions, gates·H, H], B [directions, 2·gates·H], initial states […, …, H], and peepholes P [directions, 3·H].
 * A hidden unit is row h of every gate, column h of R, and element h of every state and output; it is the same unit in both directions, since they share `hidden_size`. Only the last axes of
 * what flows can shrink, so that `layout` makes no difference.
 */
function recurrent(gates: number): Relation {
  return {
    relate(node, flow) {
      const [x, w, r, b, lengths, h, c, p] = node.inputs;
      if (x === undefined || w === undefined || r === undefined) return;
      flow.rigidAll(lengths, 'holds lengths of sequences');
      const input = flow.only(x, 2, 'is an axis of time or of samples');
      for (const weight of [w, r]) flow.rigid(weight, 0, 'counts directions');
      consume(flow, w, 2, x, input);
      const [rows, again, units] = [flow.part(w, 1), flow.part(r, 1), flow.part(r, 2)];
      if (rows === undefined || again === undefined || units === undefined) {
        for (const weight of [w, r]) flow.rigid(weight, 1, 'belongs to hidden units that cannot shrink');
        for (const value of [b, h, c, p]) flow.rigidAll(value, 'belongs to hidden units that cannot shrink');
        return;
      }
      const { ids } = units;
      flow.unite(repeated(ids, gates), rows.ids);
      flow.unite(repeated(ids, gates), again.ids);
      along(flow, b, 1, repeated(ids, 2 * gates));
      for (const state of [h, c]) along(flow, state, 2, ids);
      along(flow, p, 1, repeated(ids, 3));
      flow.member('producer', w, 1, rows.ids);
      flow.member('consumer', r, 2, ids);
      node.outputs.forEach((value, index) => { flow.set(value, [{ axes: [index === 0 ? 3 : 2], ids }]); });
    },
    rewire(node, survivors, edit) {
      const r = node.inputs[2]!;
      const [before, after] = [survivors.before(r)[2], survivors.after(r)[2]];
      if (after !== before) edit.setAttribute(node, 'hidden_size', after);
    },
  };
}

function repeated(ids: Int32Array, times: number): Int32Array {
  return Int32Array.from({ length: ids.length * times }, (_, at) => ids[at % ids.length]!);
}

/** LSTM has the gates i, o, f, c; GRU z, r, h; RNN one. */
export const recurrentLayers: Relations = { LSTM: recurrent(4), GRU: recurrent(3), RNN: recurrent(1) };
