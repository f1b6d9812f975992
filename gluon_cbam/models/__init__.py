"""The models: one file a family, every variant a row of :mod:`.variants`, built by name in :mod:`.registry`.

Listing the models does not import mxnet; building one does. Weights are no matter of this package: see
:mod:`gluon_cbam.pretrained`. It may import ``attention``, ``ops`` and ``common``.
"""

import warnings
from importlib import import_module
from typing import Any

from .registry import build, list_models, variant

__all__ = ['build', 'list_models', 'variant']


def __getattr__(name: str) -> Any:
    """The function that stood here before 0.2; it goes with the release after."""
    if name != 'get_model':
        raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
    warnings.warn(
        'gluon_cbam.models.get_model was renamed to gluon_cbam.get_model; the old name goes with the next release',
        DeprecationWarning,
        stacklevel=2,
    )
    return import_module('gluon_cbam').get_model
