"""Published weights: what they are, and where the file is. Imports neither mxnet nor gluon_cbam.

``card`` says what weights are, ``registry`` which there are; ``store`` keeps our parameter files and ``originals`` what
they come from, which ``download`` and ``archive`` bring; ``adding`` takes a file that is here already;
``verified`` checks what is here.
"""

from gluon_cbam.common.errors import ZooError

from .adding import add
from .card import Card, Published
from .locking import lock
from .registry import cards, find
from .store import cached, file_of, get, is_cached, place, remove
from .upstream import Original, fetch, forget

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
    'forget',
    'get',
    'is_cached',
    'lock',
    'place',
    'remove',
]
