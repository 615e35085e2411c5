import { floatAttribute } from '../../../ir/attribute.ts';
import type { Node, Value } from '../../../ir/model.ts';
import type { Flow } from '../flow.ts';
import type { Relation, Relations } from '../relation.ts';
import type { Survivors } from '../survivors.ts';
import { along } from './along.ts';

/** Something with heads: [batch, sequence, heads · features] if it is packed, else [batch, heads, sequence, features]. */
interface Headed {
  readonly value: Value;
  readonly heads: number;
  readonly isPacked: boolean;
}

/** One atom for each head, of which only whole ones go; nothing if they cannot go. */
function perHead(flow: Flow, { value, heads, isPacked }: Headed): Int32Array | undefined {
  if (!isPacked) return flow.only(value, 1, 'is no axis of heads, which go whole');
  const ids = flow.only(value, 2, 'is no axis of heads, which go whole');
  if (ids === undefined) return undefined;
  const features = ids.length / heads;
  for (let head = 0; head < heads; head++) flow.merge(ids.subarray(head * features, (head + 1) * features));
  return ids.filter((_, at) => at % features === 0);
}

/** One atom for each feature, which goes from all heads; nothing if features cannot go. */
function perFeature(flow: Flow, { value, heads, isPacked }: Headed): Int32Array | undefined {
  if (!isPacked) return flow.only(value, 3, 'is no axis of features, which go from all heads');
  const ids = flow.only(value, 2, 'is no axis of features, which go from all heads');
  if (ids === undefined) return undefined;
  const features = ids.length / heads;
  for (let feature = 0; feature < features; feature++) flow.merge(ids.filter((_, at) => at % features === feature));
  return ids.subarray(0, features);
}

/** Ties lists one by one; if one of them cannot shrink, the others stay. Returns the first. */
function tied(flow: Flow, lists: readonly (Int32Array | undefined)[], reason: string): Int32Array | undefined {
  const present = lists.filter((ids) => ids !== undefined);
  if (present.length < lists.length) for (const ids of present) flow.pin(ids, reason);
  else for (const ids of present.slice(1)) flow.unite(present[0]!, ids);
  return lists[0];
}

/** The operands of an Attention and what they have of heads. */
interface Operands {
  readonly query: Headed;
  /** Keys and values with what is kept of earlier ones. */
  readonly keys: readonly Headed[];
  readonly values: readonly Headed[];
  /** Query heads for each head of keys and values. */
  readonly share: number;
}

function operandsOf(node: Node, rankOf: (value: Value) => number | undefined, lengthOf: (value: Value, axis: number) => number | undefined): Operands | undefined {
  const [q, k, v, , pastKey, pastValue] = node.inputs;
  if (q === undefined || k === undefined || v === undefined) return undefined;
  const isPacked = rankOf(q) === 3;
  const [heads, pairs] = isPacked ? [node.int('q_num_heads'), node.int('kv_num_heads')] : [lengthOf(q, 1), lengthOf(k, 1)];
  if (heads === undefined || pairs === undefined) return undefined;
  const past = (value: Value | undefined): Headed[] => (value === undefined ? [] : [{ value, heads: pairs, isPacked: false }]);
  return {
    query: { value: q, heads, isPacked }, share: heads / pairs,
    keys: [{ value: k, heads: pairs, isPacked }, ...past(pastKey)], values: [{ value: v, heads: pairs, isPacked }, ...past(pastValue)],
  };
}

/**
 * Attention of queries, keys and values. By heads: a head of keys and values goes with the query heads that share it; where all share one, that one stays and query heads go by themselves. By features: those of queries
 * and keys are summed over with each other and go from all heads, those of values become those of the output.
 */
const attention: Relation = {
  relate(node, flow) {
    const operands = operandsOf(node, (value) => flow.rank(value), (value, axis) => flow.length(value, axis));
    if (operands === undefined) {
      for (const value of node.inputs) flow.rigidAll(value, 'is attended over by heads that are not known');
      return;
    }
    for (const value of node.inputs.slice(6)) flow.rigidAll(value, 'holds lengths of sequences');
    if (flow.heads === 'heads') wholeHeads(node, flow, operands);
    else features(node, flow, operands);
  },
  rewire(node, survivors, edit) {
    const operands = operandsOf(node, (value) => survivors.before(value).length, (value, axis) => survivors.before(value)[axis]);
    if (operands === undefined) return;
    const { query, keys: [keys] } = operands;
    if (query.isPacked) {
      edit.setAttribute(node, 'q_num_heads', headsLeft(survivors, query));
      edit.setAttribute(node, 'kv_num_heads', headsLeft(survivors, keys!));
    }
    if (node.float('scale') !== undefined || survivors.positions(query.value, query.isPacked ? 2 : 3) === undefined) return;
    // Scores are divided by the root of the features that there were.
    const [before, after] = [featuresOf(survivors.before(query.value), query, query.heads), featuresOf(survivors.after(query.value), query, headsLeft(survivors, query))];
    if (after !== before) edit.setAttribute(node, 'scale', floatAttribute(1 / Math.sqrt(before)));
  },
};

function wholeHeads(node: Node, flow: Flow, { query, keys, values, share }: Operands): void {
  const mask = node.inputs[3];
  const [y, presentKey, presentValue, scores] = node.outputs;
  const queries = perHead(flow, query);
  const others = [...keys, ...values];
  const pairs = others.map((each) => perHead(flow, each));
  if (share === query.heads) {
    for (const { value } of others) flow.rigidAll(value, 'belongs to the only head of keys and values');
    if (query.heads === 1) flow.rigidAll(query.value, 'belongs to the only head of attention');
  } else tied(flow, [queries, ...pairs.map((ids) => ids && repeated(ids, share))], 'goes along with heads that cannot go');
  maskHeads(flow, mask, queries);
  if (queries === undefined) return;
  flow.set(scores, [{ axes: [1], ids: queries }]);
  if (query.isPacked) {
    const given = flow.length(values[0]!.value, 2);
    if (given === undefined) flow.pin(queries, 'attends to something whose shape is not known');
    else flow.set(y, [{ axes: [2], ids: repeated(queries, given / values[0]!.heads) }]);
  } else flow.set(y, [{ axes: [1], ids: queries }]);
  for (const [present, ids] of [[presentKey, pairs[0]], [presentValue, pairs[keys.length]]] as const) if (ids !== undefined) flow.set(present, [{ axes: [1], ids }]);
}

function features(node: Node, flow: Flow, { query, keys, values }: Operands): void {
  flow.rigidAll(node.inputs[3], 'holds places of sequences');
  const [y, presentKey, presentValue] = node.outputs;
  const reason = 'goes along with features that cannot go';
  const summed = tied(flow, [query, ...keys].map((each) => perFeature(flow, each)), reason);
  const given = tied(flow, values.map((each) => perFeature(flow, each)), reason);
  const axis = query.isPacked ? 2 : 3;
  const ids = flow.part(query.value, axis)?.ids;
  if (summed !== undefined && ids !== undefined) flow.member('contraction', query.value, axis, ids);
  if (summed !== undefined) flow.set(presentKey, [{ axes: [3], ids: summed }]);
  if (given === undefined) return;
  flow.set(presentValue, [{ axes: [3], ids: given }]);
  flow.set(y, [{ axes: [axis], ids: query.isPacked ? Int32Array.from({ length: query.heads * given.length }, (_, at) => given[at % given.length]!) : given }]);
}

/** A mask is broadcast to [batch, heads, queries, keys]. */
function maskHeads(flow: Flow, mask: Value | undefined, queries: Int32Array | undefined): void {
  const rank = flow.rank(mask);
  if (mask === undefined || queries === undefined || (rank !== undefined && (rank < 3 || flow.length(mask, rank - 3) === 1))) flow.rigidAll(mask, 'holds places of sequences');
  else if (rank === undefined) flow.pin(queries, 'is masked by something whose shape is not known', mask);
  else along(flow, mask, rank - 3, queries);
}

/**
 * Turns features by angles. By heads: whole heads go. By features: two that are turned into one another go together, from all heads, with their column of the caches; those beyond `rotary_embedding_dim` are not turned.
 */
const rotaryEmbedding: Relation = {
  relate(node, flow) {
    const [x, ...tables] = node.inputs;
    const headed = rotaryOperand(node, flow.rank(x), x === undefined ? undefined : flow.length(x, 1));
    if (headed === undefined) {
      for (const value of node.inputs) flow.rigidAll(value, 'is turned by heads that are not known');
      return;
    }
    if (flow.heads === 'heads') {
      perHead(flow, headed);
      for (const value of tables) flow.rigidAll(value, 'holds angles of places');
    } else turnPairs(node, flow, headed);
    flow.set(node.outputs[0], flow.layout(x));
  },
  rewire(node, survivors, edit) {
    const x = node.inputs[0]!;
    const headed = rotaryOperand(node, survivors.before(x).length, survivors.before(x)[1]);
    if (headed === undefined) return;
    if (headed.isPacked) edit.setAttribute(node, 'num_heads', headsLeft(survivors, headed));
    const turned = node.int('rotary_embedding_dim', 0);
    const positions = survivors.positions(x, headed.isPacked ? 2 : 3);
    if (turned === 0 || positions === undefined) return;
    const features = featuresOf(survivors.before(x), headed, headed.heads);
    edit.setAttribute(node, 'rotary_embedding_dim', new Set(Array.from(positions, (at) => at % features).filter((feature) => feature < turned)).size);
  },
};

function rotaryOperand(node: Node, rank: number | undefined, second: number | undefined): Headed | undefined {
  const [value] = node.inputs;
  const isPacked = rank === 3;
  const heads = isPacked ? node.int('num_heads', 0) : second;
  return value === undefined || rank === undefined || heads === undefined || heads === 0 ? undefined : { value, heads, isPacked };
}

function turnPairs(node: Node, flow: Flow, headed: Headed): void {
  const [, cos, sin, places] = node.inputs;
  flow.rigidAll(places, 'holds places');
  const ids = perFeature(flow, headed);
  if (ids === undefined) {
    for (const table of [cos, sin]) flow.rigidAll(table, 'turns features that cannot go');
    return;
  }
  const turned = node.int('rotary_embedding_dim', 0) || ids.length;
  const isInterleaved = node.int('interleaved', 0) !== 0;
  const pairs = Int32Array.from({ length: turned / 2 }, (_, pair) => {
    const [one, other] = isInterleaved ? [ids[2 * pair]!, ids[2 * pair + 1]!] : [ids[pair]!, ids[pair + turned / 2]!];
    flow.join(one, other);
    return one;
  });
  for (const table of [cos, sin]) if (table !== undefined) along(flow, table, (flow.rank(table) ?? 1) - 1, pairs);
}

/** Features of each head of something with these lengths and as many heads. */
function featuresOf(lengths: readonly (number | undefined)[], { isPacked }: Headed, heads: number): number {
  return isPacked ? lengths[2]! / heads : lengths[3]!;
}

/** The heads of which something is left. */
function headsLeft(survivors: Survivors, { value, heads, isPacked }: Headed): number {
  if (!isPacked) return survivors.after(value)[1]!;
  const positions = survivors.positions(value, 2);
  if (positions === undefined) return heads;
  const features = survivors.before(value)[2]! / heads;
  return new Set(Array.from(positions, (at) => Math.floor(at / features))).size;
}

/** Every element this many times in a row. */
function repeated(ids: Int32Array, times: number): Int32Array {
  return Int32Array.from({ length: ids.length * times }, (_, at) => ids[Math.floor(at / times)]!);
}

export const attentions: Relations = { Attention: attention, RotaryEmbedding: rotaryEmbedding };
