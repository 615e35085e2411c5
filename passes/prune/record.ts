import type { PinOverview } from './overview.ts';

/** What `structured-prune` leaves for the report, under the name `pruning`. Norms are L2 norms of what a channel's producers hold for it, over all of them together. */
export interface PruningRecord {
  readonly cost: { readonly before: CostRecord; readonly after: CostRecord };
  /** Share of the parameters that belonged to channels that could be removed. */
  readonly prunable: number;
  readonly groups: readonly GroupRecord[];
  /** Layers whose width changed, in the order of the model. */
  readonly layers: readonly LayerRecord[];
  /** How the result was proved: the largest difference from the original with its readers silenced, as a share of its largest output; null where there is no such equal, or it was not asked for. */
  readonly proof: number | null;
  readonly recovery?: RecoveryRecord;
}

/** Multiply-accumulates per sample (null where they cannot be told), and elements and bytes of weights. */
export interface CostRecord {
  readonly macs: number | null;
  readonly parameters: number;
  readonly bytes: number;
}

/** One group of channels. */
export interface GroupRecord {
  readonly name: string;
  readonly producers: readonly string[];
  readonly consumers: readonly string[];
  /** For each channel, in the order of the first producer. */
  readonly norms: readonly number[];
  readonly scores: readonly number[] | null;
  readonly kept: readonly boolean[];
  /** Norms of the channels that stayed, after recovery. */
  readonly normsAfter: readonly number[];
  /** Σ norm² of what stayed over Σ norm² of all. */
  readonly energy: number;
  readonly pins: readonly PinOverview[];
  /** Why nothing was taken from it although it has free channels; null if something was. */
  readonly spared: string | null;
}

/** One layer. */
export interface LayerRecord {
  readonly node: string;
  readonly op: string;
  readonly inputs: readonly [before: number, after: number];
  readonly outputs: readonly [before: number, after: number];
  readonly macs: readonly [before: number | null, after: number | null];
  readonly parameters: readonly [before: number, after: number];
}

/** What recovery did, layer by layer: error power over power of what the layer gives, on samples that were held out. */
export interface RecoveryRecord {
  readonly method: string;
  readonly layers: readonly { readonly node: string; readonly used: string; readonly dropped: number; readonly repaired: number }[];
}
