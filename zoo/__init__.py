"""Published weights: what they are, and where the file is. Imports neither mxnet nor gluon_cbam.

``card`` says what weights are, ``registry`` which there are, ``store`` keeps their files, ``download`` and ``archive``
bring them, ``adding`` takes a file that is here already.
"""

from .adding import add
from .card import Card, Published
from .errors import ZooError
from .registry import cards, find
from .store import Original, cached, fetch, file_of, get, is_cached, lock, place, remove

__all__ = [
    'Card',
    'Original',
    'Published',
    'ZooError',
    'add',
    'cached',
    'cards',
    'fetch',
    'file_of',
    'find',
    'get',
    'is_cached',
    'lock',
    'place',
    'remove',
]
