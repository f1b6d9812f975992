"""Published weights: what they are, and where the file is. Imports neither mxnet nor gluon_cbam."""

from .card import Card, ZooError
from .registry import cards, file_of, find

__all__ = ['Card', 'ZooError', 'cards', 'file_of', 'find']
