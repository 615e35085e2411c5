import type { Report, StepReport } from '../../../compiler/report/report.ts';
import type { GroupRecord, PruningRecord } from '../../../passes/prune/record.ts';
import { report, step } from './reports.ts';

/** A group that loses the smaller half of four channels. */
export function channelGroup(name: string, fields: Partial<GroupRecord> = {}): GroupRecord {
  return {
    name, producers: [name, 'conv2'], consumers: ['conv3'], norms: [1, 4, 3, 2], scores: null, kept: [false, true, true, false], normsAfter: [4, 3], energy: 25 / 30, pins: [], spared: null, ...fields,
  };
}

/** One group that loses channels, and one whose channels are all held. */
export function pruning(fields: Partial<PruningRecord> = {}): PruningRecord {
  return {
    cost: { before: { macs: 1000, parameters: 200, bytes: 800 }, after: { macs: 250, parameters: 100, bytes: 400 } }, prunable: 0.75, proof: 1.2e-7,
    groups: [
      channelGroup('conv1', { scores: [10, 40, 30, 20] }),
      channelGroup('conv4', {
        norms: [3, 2, 1], kept: [true, true, true], normsAfter: [3, 2, 1], energy: 1, spared: 'has only channels that matter more', pins: [{ reason: '\'y\' is an output of the model', channels: 3, chain: ['conv4', 'relu'] }],
      }),
    ],
    layers: [
      { node: 'conv1', op: 'Conv', inputs: [0, 0], outputs: [4, 2], macs: [500, 100], parameters: [40, 20] },
      { node: 'conv3', op: 'Conv', inputs: [64, 48], outputs: [64, 64], macs: [null, null], parameters: [160, 80] },
      { node: 'gemm', op: 'Gemm', inputs: [64, 48], outputs: [0, 0], macs: [10, 10], parameters: [20, 15] },
    ],
    ...fields,
  };
}

/** A report of a pruning. */
export function pruned(record: PruningRecord = pruning(), fields: Partial<StepReport> = {}): Report {
  return report([step(), step({ id: 'structured-prune', number: 2, pass: 'structured-prune', records: { pruning: record }, ...fields })]);
}
