import type { Explanation } from '../diagnostics.ts';

/** Codes of quantization and of conversions between opsets. */
export const quantizationDiagnostics: Readonly<Record<string, Explanation>> = {
  'quantize/no-statistics': {
    title: 'A value is to be quantized, and nothing is known about its range.',
    text: `\`quantize-int8\` takes ranges from the \`calibrate\` step before it. Between the two no step may change the model, unless it keeps the ranges.

Statistics that are loaded from a file hold what was wanted when they were gathered. Other options of \`quantize-int8\`, another target or another selection may want more: gather them anew.`,
  },
  'quantize/not-finite': {
    title: 'A value held nothing but NaN and infinities while the model was observed.',
    text: 'No range follows from that. Usually the calibration data are not prepared as the model expects (scale, layout, element type), or the model overflows in float already. Run the float model on one sample and look at its outputs; or leave the layers that read the value in float, with an entry of `overrides`.',
  },
  'quantize/override': {
    title: 'An entry of `overrides` cannot be read, or fits nothing.',
    text: 'An entry names layers by `nodes` (names or globs, of the model now or as it was read), by `ops`, or by both, and says what holds for them: `precision`, `method` or `range`. An entry that fits no node is most often a misspelt name: `onnxpress inspect MODEL` lists them. A range has its smaller number in `min`; a bound that is left out is 0.',
  },
  'quantize/max-drop': {
    title: 'Leaving layers in float did not bring the model within `maxDrop`.',
    text: `The most sensitive layers were left in float, as many as \`maxFloatLayers\` allows, and the metric of the data still falls further behind the original than the budget. The message says how far it came.

Raise \`maxFloatLayers\` or \`maxDrop\`, calibrate on more or better samples, or look at the layers that the report names as noisiest. A drop that does not shrink at all usually comes from data that are prepared in another way than the model wants.`,
  },
  'quantize/no-dynamic': {
    title: 'The target has no operators that quantize activations while the model runs.',
    text: 'TensorRT wants constant scales (its rule QDQ-17): DynamicQuantizeLinear, MatMulInteger and the operators of ONNX Runtime that stand for them are refused. Static quantization, `calibrate` and then `quantize-int8`, works for all targets.',
  },
  'opset/no-conversion': {
    title: 'A node cannot be taken over into a later opset.',
    text: `Conversions go from opset 7 to 21, node by node, and change nothing that the model computes. What has no equal there is refused: a BatchNormalization that is not spatial, a Dropout whose mask is used, a Resize of opset 10 whose scales are computed, a Scan of opset 8, a Softmax whose input has an unknown rank, and operators that left the standard.

Export the model again with the opset that the message names.`,
  },
};
