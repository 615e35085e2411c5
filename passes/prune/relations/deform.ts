import type { Relation, Relations } from '../relation.ts';
import { convolution } from './convolution.ts';

const plain: Relation = convolution({ weight: 1, perOutput: [3] });

/** A convolution whose places are moved by offsets, the same for all channels; with several groups of offsets, the input channels belong to these and stay. */
export const deformableConvolutions: Relations = {
  DeformConv: {
    ...plain,
    relate(node, flow) {
      const [x, , offset, , mask] = node.inputs;
      for (const value of [offset, mask]) flow.rigidAll(value, 'says where an image is sampled');
      if (node.int('offset_group', 1) > 1) flow.rigid(x, 1, 'is divided among groups of offsets');
      plain.relate(node, flow);
    },
  },
};
