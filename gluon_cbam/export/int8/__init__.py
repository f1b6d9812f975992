"""Static quantization of ONNX graphs to int8: calibration, quantize-dequantize (QDQ) nodes, precision by the error.

It may import ``export.onnx`` and ``common``.
"""
