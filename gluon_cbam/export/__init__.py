"""Export of networks: as symbols of stock MXNet, ONNX in float32 and int8, and parameters as safetensors.

A request is traced (``tracing``), written (``formats``, with ``symbol``, ``onnx`` and ``int8``), run again
(``runtime``), compared with the network (``parity``, on the images of ``samples``), and only then kept (``exporter``).
Running exported ONNX files does not import mxnet. The package may import ``inference``, ``tasks``, ``models``,
``weights``, ``data``, ``ops``, ``zoo``, ``compat`` and ``common``.
"""

from .runtime import ExportedNetwork, load_exported

__all__ = ['ExportedNetwork', 'load_exported']
