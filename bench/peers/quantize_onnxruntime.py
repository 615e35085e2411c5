"""Static int8 quantization by onnxruntime's own tool, for bench/quantize.ts: the same model, the same samples.

usage: quantize_onnxruntime.py MODEL SAMPLES.npy METHOD OUTPUT

SAMPLES holds the inputs of the model, stacked along axis 0. METHOD is MinMax, Entropy or Percentile. The options are those that TensorRT
accepts: Q/DQ pairs, symmetric int8 activations, int8 weights for each channel, biases in float. Prints one line of JSON: seconds without
the start of the process, and the peak of resident memory.
"""
import json
import logging
import resource
import sys
import tempfile
import time

import numpy as np
from onnxruntime import InferenceSession
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process


class Samples(CalibrationDataReader):
    def __init__(self, name, samples, batch):
        self.batches = iter([{name: samples[at:at + batch]} for at in range(0, len(samples) - batch + 1, batch)])

    def get_next(self):
        return next(self.batches, None)


def main(model, samples, method, output):
    logging.disable(logging.WARNING)
    array = np.load(samples)
    feed = InferenceSession(model, providers=["CPUExecutionProvider"]).get_inputs()[0]
    batch = feed.shape[0] if isinstance(feed.shape[0], int) else 1
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        prepared = f"{folder}/prepared.onnx"
        quant_pre_process(model, prepared)
        quantize_static(
            prepared, output, Samples(feed.name, array, batch), quant_format=QuantFormat.QDQ, per_channel=True,
            activation_type=QuantType.QInt8, weight_type=QuantType.QInt8, calibrate_method=CalibrationMethod[method],
            extra_options={"ActivationSymmetric": True, "WeightSymmetric": True, "QuantizeBias": False, "AddQDQPairToWeight": True},
        )
    print(json.dumps({"seconds": time.perf_counter() - start, "peakMB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))


if __name__ == "__main__":
    main(*sys.argv[1:])
