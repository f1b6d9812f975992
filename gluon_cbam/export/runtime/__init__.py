"""Running exported files: in their engines, as sessions of prediction, and evaluated.

It may import ``export.metadata``, ``export.onnx``, ``export.symbol``, ``inference``, ``tasks``, ``data``, ``compat``
and ``common``.
"""

from .exported_network import ExportedNetwork, load_exported

__all__ = ['ExportedNetwork', 'load_exported']
