"""Parameters under other people's names: load them into our networks, strictly.

The rules of each source are rows of :data:`.sources.SOURCES`.
"""

from .loading import check_arrays, load_arrays

__all__ = ['check_arrays', 'load_arrays']
