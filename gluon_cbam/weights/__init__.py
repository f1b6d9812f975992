"""Parameter files: saved with a card, checked, and loaded strictly.

It may import ``zoo`` for cards, ``common`` and ``compat``.
"""

from gluon_cbam.compat.renamed import renamed_attributes

from .files import find_file, read_arrays, read_card, save
from .loading import load, load_for_fine_tuning
from .writing import write_arrays

__all__ = ['find_file', 'load', 'load_for_fine_tuning', 'read_arrays', 'read_card', 'save', 'write_arrays']

__getattr__ = renamed_attributes(__name__, {'card_beside': 'weights.files.read_card'})
