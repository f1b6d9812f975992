"""Parameters under other people's names: load them into our networks, strictly, and write them again.

The rules of each source are rows of :data:`.sources.SOURCES`.
"""

from gluon_cbam.weights.assignment import check_arrays

from .loading import load_arrays
from .writing import to_arrays

__all__ = ['check_arrays', 'load_arrays', 'to_arrays']
