import { Tensor } from '../../ir/tensor.ts';
import type { Node } from '../../ir/model.ts';
import { replaceNode, type Converter } from './converter.ts';

/** Upsample took its scales as an attribute before opset 9. */
export const upsampleScales: Converter = {
  version: 9,
  convert: (node, edit) => {
    const attribute = node.attributes.get('scales');
    const scales = attribute?.kind === 'floats' ? attribute.value : [];
    edit.setAttribute(node, 'scales', undefined);
    edit.setInput(node, 1, edit.constant(node.graph, Tensor.of('float', [...scales]), `${node.name}_scales`));
  },
};

/** Upsample became Resize in opset 10. */
export const upsampleToResize: Converter = {
  version: 10,
  becomes: 'Resize',
  convert: (node, edit) => { replaceNode(node, edit, { op: 'Resize', inputs: node.inputs, attributes: node.attributes }); },
};

/**
 * Resize of opset 10 maps coordinates as `asymmetric` does and, going to nearest, takes the element at or before the place (at or behind it when shrinking, as ONNX Runtime
 * does); opset 11 spells both out, and has a region of interest before the scales.
 */
export const resizeModes: Converter = {
  version: 11,
  refuses: (node) => {
    if (node.string('mode', 'nearest') !== 'nearest') return undefined;
    const scales = scalesOf(node);
    if (scales === undefined) return 'its scales are not constant';
    return scales.some((scale) => scale < 1) && scales.some((scale) => scale > 1) ? 'it enlarges one axis and shrinks another' : undefined;
  },
  convert: (node, edit) => {
    const [, scales] = node.inputs;
    edit.setInput(node, 1, edit.constant(node.graph, Tensor.of('float', []), `${node.name}_roi`));
    edit.setInput(node, 2, scales);
    edit.setAttribute(node, 'coordinate_transformation_mode', 'asymmetric');
    if (node.string('mode', 'nearest') === 'nearest') edit.setAttribute(node, 'nearest_mode', scalesOf(node, 2)!.some((scale) => scale < 1) ? 'ceil' : 'floor');
  },
};

/** The scales of a node that is still of an older opset: an attribute, or input `index`. */
function scalesOf(node: Node, index = 1): readonly number[] | undefined {
  const attribute = node.attributes.get('scales');
  if (attribute?.kind === 'floats') return attribute.value;
  const constant = node.inputs[index]?.constant;
  return constant && Array.from(constant.floats());
}
