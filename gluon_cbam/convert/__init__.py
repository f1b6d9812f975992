"""Conversion of parameters of other implementations: load them into our networks, strictly, and write them.

The naming rules of each source are rows of :data:`.sources.SOURCES`. This package may import ``weights``, ``models``,
``ops``, ``compat`` and ``common``; conversions of whole files with cards are in
:mod:`gluon_cbam.pretrained.conversion`.
"""

from gluon_cbam.weights.assignment import check_arrays

from .loading import load_arrays
from .writing import to_arrays

__all__ = ['check_arrays', 'load_arrays', 'to_arrays']
