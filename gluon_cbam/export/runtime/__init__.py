"""Exported files: run in their engines, wrapped as sessions for predictions, and evaluated.

It may import ``export.metadata``, ``export.onnx``, ``export.symbol``, ``inference``, ``tasks``, ``data``, ``compat``
and ``common``.
"""

from .exported_network import ExportedNetwork, load_exported

__all__ = ['ExportedNetwork', 'load_exported']
