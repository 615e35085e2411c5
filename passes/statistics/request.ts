/**
 * What a later step wants to know about the values of the model. While a recipe runs, every step after `calibrate` that needs statistics
 * states its requests; `calibrate` collects their union in as few runs as possible. Values and nodes are named by their labels.
 */
export interface StatisticsRequest {
  /** Distributions: one observer for each scale class, by the name of the value that stands for it. */
  readonly ranges: readonly RangeRequest[];
  /** Figures for each channel of a value. */
  readonly channels: readonly ChannelRequest[];
  /** Second moments of what weighted layers read, by node name. */
  readonly moments: readonly string[];
}

export interface RangeRequest {
  readonly value: string;
}

export interface ChannelRequest {
  readonly value: string;
  /** Axis of the channels, not negative. */
  readonly axis: number;
}
