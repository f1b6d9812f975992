"""Quantizes networks to int8, for inference on the CPU with MXNet.

MXNet quantizes the convolutions. The attention between them runs on operators of :mod:`gluon_cbam.ops` that take and
return quantized tensors, so that no map is converted to float32 and back.

:mod:`.quantizing` quantizes a network, and :mod:`.graph` rewrites its graph. It may import ``ops`` and ``common``.
Files of ONNX and OpenVINO are quantized in :mod:`gluon_cbam.export.int8`.
"""

from .quantizing import quantize

__all__ = ['quantize']
