"""The models: one module per family, every variant a row of :mod:`.variants`, built by name in :mod:`.registry`.

Listing the models does not import mxnet; building one does. This package never reads weights, which
:mod:`gluon_cbam.pretrained` does. It may import ``attention``, ``ops``, ``zoo`` for its cards, ``common`` and
``compat``.
"""

from gluon_cbam.compat.renamed import renamed_attributes

from .registry import build, list_models, variant

__all__ = ['build', 'list_models', 'variant']

__getattr__ = renamed_attributes(__name__, {'get_model': 'get_model'})
