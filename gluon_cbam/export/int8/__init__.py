"""Quantization of ONNX graphs to int8: calibration, quantize-dequantize nodes."""
