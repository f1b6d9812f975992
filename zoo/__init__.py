"""Published weights: their cards, and their files in a store that processes share.

``card`` describes weights, ``schema`` checks cards, ``registry`` finds them; ``store`` keeps our parameter files, and
``upstream`` the files that they are made from, which ``download`` and ``archive`` fetch; ``adding`` takes local files;
``verified`` checks what is in the store; ``location`` and ``locking`` serve all of them.

May import :mod:`gluon_cbam.common`, :mod:`gluon_cbam.compat` and the preprocessing of :mod:`gluon_cbam.data`, but
neither mxnet nor numpy: listing weights is fast.
"""

from gluon_cbam.compat.renamed import renamed_attributes

from .adding import add
from .card import Card, Published
from .locking import lock
from .registry import cards, find
from .store import cached, file_of, get, is_cached, place, remove
from .upstream import UpstreamFile, fetch, forget

__all__ = [
    'Card',
    'Published',
    'UpstreamFile',
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

__getattr__ = renamed_attributes(
    __name__, {'Original': 'zoo.upstream.UpstreamFile', 'ZooError': 'common.errors.CbamError'}
)
