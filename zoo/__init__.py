"""Published weights: their cards, and their files in a store that several processes may use.

``card`` defines the cards, ``schema`` and ``conditions`` check them, ``registry`` and ``remote`` find them. ``store``
keeps our parameter files, ``origin`` knows which registries they came from, and ``upstream`` has the upstream files
that they are converted from; ``download``, ``connection`` and ``archive`` fetch and unpack these. ``adding`` adds local
files; ``verified`` compares files of the store with their cards and records scores. ``location`` has the folder of the
store and the settings of downloads, ``locking`` the locks between processes.

May import :mod:`gluon_cbam.common`, :mod:`gluon_cbam.compat` and the preprocessing of :mod:`gluon_cbam.data`, but
neither mxnet nor numpy, so that listing weights is fast.
"""

from gluon_cbam.compat.renamed import renamed_attributes

from .adding import add
from .card import Card, Published
from .locking import lock
from .origin import known
from .registry import cards, find
from .store import cached, file_of, files_of, get, is_cached, place, remove
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
    'files_of',
    'find',
    'forget',
    'get',
    'is_cached',
    'known',
    'lock',
    'place',
    'remove',
]

__getattr__ = renamed_attributes(
    __name__, {'Original': 'zoo.upstream.UpstreamFile', 'ZooError': 'common.errors.CbamError'}
)
