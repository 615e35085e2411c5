import type { Node } from '../../../ir/model.ts';
import type { Flow } from '../flow.ts';
import type { Relate, Relations } from '../relation.ts';
import { keepWindows } from './convolution.ts';

/** Windows over the axes behind the channels; samples and channels pass. */
const pool: Relate = (node, flow) => {
  const [x] = node.inputs;
  keepWindows(flow, x);
  flow.set(node.outputs[0], flow.layout(x));
};

/** The second output, where it is read, holds positions in the whole input, counted through its channels. */
const maxPool: Relate = (node, flow) => {
  const [x] = node.inputs;
  if ((node.outputs[1]?.uses.length ?? 0) > 0) flow.rigidAll(x, 'is counted through by the positions that MaxPool gives');
  pool(node, flow);
};

const maxUnpool: Relate = (node, flow) => {
  for (const value of node.inputs.slice(0, 2)) flow.rigidAll(value, 'is put where positions say that are counted through all channels');
};

/** Samples an image at places that other inputs give: channels pass, all else stays. */
const sampled: Relate = (node, flow) => {
  const [x, ...places] = node.inputs;
  for (const value of places) flow.rigidAll(value, 'says where an image is sampled');
  const ids = flow.only(x, 1, 'belongs to places of an image');
  if (ids !== undefined) flow.set(node.outputs[0], [{ axes: [1], ids }]);
};

/** The sizes are those of an image; the grid has no axis for its channels. */
const affineGrid = (node: Node, flow: Flow): void => { flow.rigidAll(node.inputs[0], 'is a map of places'); };

export const poolings: Relations = {
  AveragePool: pool,
  LpPool: pool,
  MaxPool: maxPool,
  MaxUnpool: maxUnpool,
  GlobalAveragePool: pool,
  GlobalLpPool: pool,
  GlobalMaxPool: pool,
  RoiAlign: sampled,
  MaxRoiPool: sampled,
  GridSample: sampled,
  AffineGrid: affineGrid,
};
