import type { AttributeProto, ModelProto, NodeProto, TypeProto } from '../../../ir/onnx/fields.ts';

const float = (...dims: (number | string)[]): TypeProto => ({
  tensor_type: { elem_type: 1, shape: { dim: dims.map((dim) => (typeof dim === 'number' ? { dim_value: dim } : { dim_param: dim })) } },
});
const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);
const props = (key: string): { key: string; value: string }[] => [{ key, value: `${key} value` }, { key: 'author', value: 'somebody' }];
const unknown = [Uint8Array.of(0xc0, 0x3e, 0x05)];

const branch = (name: string, op: string): AttributeProto => ({
  name, type: 5, g: { name, node: [{ input: ['h', 'w'], output: [`${name}_out`], name: `${name}/op`, op_type: op }], output: [{ name: `${name}_out`, type: float('N', 4) }] },
});

const attributes: NodeProto = {
  op_type: 'Everything', domain: 'com.example', name: 'all kinds', input: ['y', '', 's'], output: ['z', '', 'z2'], doc_string: 'a node', metadata_props: props('node'), unknown,
  attribute: [
    { name: 'f', type: 1, f: 0.5, doc_string: 'an attribute', unknown }, { name: 'i', type: 2, i: 0 }, { name: 'big', type: 2, i: 2n ** 60n }, { name: 's', type: 3, s: utf8('text') },
    { name: 'raw', type: 3, s: Uint8Array.of(255, 0) }, { name: 't', type: 4, t: { dims: [2], data_type: 6, int32_data: Int32Array.of(-1, 2), name: 'inner' } },
    { name: 'floats', type: 6, floats: Float32Array.of(1, -0.25) }, { name: 'ints', type: 7, ints: [1, -1, -(2n ** 62n)] }, { name: 'none', type: 7 },
    { name: 'strings', type: 8, strings: [utf8('a'), Uint8Array.of(200)] }, { name: 'tensors', type: 9, tensors: [{ data_type: 1, raw_data: Uint8Array.of(0, 0, 128, 63) }] },
    { name: 'graphs', type: 10, graphs: [{ name: 'g0', node: [{ op_type: 'Relu', input: ['h'], output: ['r'] }], output: [{ name: 'r' }] }] },
    { name: 'sparse', type: 11, sparse_tensor: { values: { dims: [1], data_type: 1, float_data: Float32Array.of(3) }, indices: { dims: [1], data_type: 7, int64_data: BigInt64Array.of(2n) }, dims: [4] } },
    { name: 'tp', type: 13, tp: { sequence_type: { elem_type: float(1) }, denotation: 'IMAGE' } }, { name: 'tps', type: 14, type_protos: [{ map_type: { key_type: 7, value_type: float() } }] },
  ],
  device_configurations: [{ configuration_id: 'two', sharding_spec: [{ tensor_name: 'y', device: [0, 1], sharded_dim: [{ axis: 0, simple_sharding: [{ dim_value: 2, num_shards: 2 }] }] }], pipeline_stage: 1 }],
};

/** A model as message with everything that must survive reading and writing: the canonical form in which the writer leaves it. */
export function sampleModel(): ModelProto {
  return {
    ir_version: 13, producer_name: 'maker', producer_version: '1.0', domain: 'org.example', model_version: 7, doc_string: 'a model',
    opset_import: [{ version: 21 }, { domain: 'com.example', version: 1 }],
    graph: {
      name: 'main',
      node: [
        { input: ['x', 'w'], output: ['h'], name: 'mul', op_type: 'Mul' },
        { output: ['c'], name: 'five', op_type: 'Constant', attribute: [{ name: 'value_float', type: 1, f: 5 }], doc_string: 'a constant' },
        { input: ['h', 'c'], output: ['k'], name: 'add', op_type: 'Add' },
        { output: ['cond'], op_type: 'Constant', attribute: [{ name: 'value', type: 4, t: { data_type: 9, int32_data: Int32Array.of(1) } }] },
        { input: ['cond'], output: ['y'], name: 'if', op_type: 'If', attribute: [branch('then_branch', 'Add'), branch('else_branch', 'Sub')] },
        attributes,
        { input: ['k'], output: ['scaled'], op_type: 'Scale', domain: 'com.example', overload: 'v2', attribute: [{ name: 'alpha', type: 1, f: 2 }] },
      ],
      initializer: [
        { dims: [4], data_type: 1, float_data: Float32Array.of(9, 9, 9, 9), name: 'bias' },
        { dims: [4], data_type: 1, name: 'w', raw_data: Uint8Array.of(0, 0, 128, 63, 0, 0, 0, 64, 0, 0, 64, 64, 0, 0, 128, 64), doc_string: 'weights', metadata_props: props('tensor'), unknown },
        { dims: [3], data_type: 8, string_data: [utf8('a'), new Uint8Array(0), Uint8Array.of(0xff)], name: 'names' },
        { dims: [3], data_type: 22, int32_data: Int32Array.of(0x21, 0x0f), name: 'four' }, { dims: [0], data_type: 1, name: 'empty' },
      ],
      sparse_initializer: [{ values: { dims: [2], data_type: 1, float_data: Float32Array.of(1, 2), name: 's' }, indices: { dims: [2], data_type: 7, int64_data: BigInt64Array.of(0n, 3n) }, dims: [4], unknown }],
      input: [{ name: 'x', type: { ...float('N', 4), denotation: 'TENSOR' }, doc_string: 'an input', metadata_props: props('input'), unknown }, { name: 'bias', type: float(4) }],
      output: [{ name: 'y', type: float('N', 4), doc_string: 'an output' }, { name: 'z' }, { name: 'z2', type: { optional_type: { elem_type: { sparse_tensor_type: { elem_type: 1 } } } } }, { name: 'scaled', type: float('N', 4) }],
      value_info: [{ name: 'h', type: float('N', 4), doc_string: 'hidden' }, { name: 'k', type: float('N', 4) }],
      quantization_annotation: [{ tensor_name: 'h', quant_parameter_tensor_names: [{ key: 'SCALE_TENSOR', value: 'w' }] }],
      metadata_props: props('graph'), doc_string: 'a graph', unknown,
    },
    metadata_props: props('model'),
    training_info: [{ initialization: { name: 'init' }, update_binding: [{ key: 'w', value: 'w2' }] }],
    functions: [{
      name: 'Scale', input: ['a'], output: ['b'], attribute: ['beta'], attribute_proto: [{ name: 'alpha', type: 1, f: 1 }],
      node: [{ output: ['factor'], op_type: 'Constant', attribute: [{ name: 'value_float', ref_attr_name: 'alpha', type: 1 }] }, { input: ['a', 'factor'], output: ['b'], op_type: 'Mul' }],
      value_info: [{ name: 'factor', type: float() }], opset_import: [{ version: 21 }], domain: 'com.example', overload: 'v2', doc_string: 'a function', metadata_props: props('function'), unknown,
    }, { name: 'Scale', input: ['a'], output: ['b'], node: [{ input: ['a'], output: ['b'], op_type: 'Relu' }], opset_import: [{ version: 21 }], domain: 'com.example' }],
    configuration: [{ name: 'two', num_devices: 2, device: ['a', 'b'] }], unknown,
  };
}
