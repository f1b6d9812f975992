"""CBAM (Convolutional Block Attention Module, Woo et al., ECCV 2018) on MXNet 1.9.1 / Gluon.

Importing the package is fast: mxnet is imported when a network or an attention module is first used. This module
imports :mod:`gluon_cbam.compat` alone; it imports the others on first use.
"""

from importlib import import_module
from typing import Any, List

from . import compat as _compat
from .compat import renamed as _renamed

__version__ = '0.2.0.dev0'

_compat.install()
_renamed.install()

# public name -> the module that defines it, imported on first use
_LAZY = {
    'BAM': 'attention',
    'CBAM': 'attention',
    'ChannelAttention': 'attention',
    'SpatialAttention': 'attention',
    'SqueezeExcitation': 'attention',
    'CBAMNet': 'models.cbamnet',
    'MobileNet': 'models.mobilenet',
    'ModifiedCBAMNet': 'models.modified_cbamnet',
    'ResNet': 'models.resnet',
    'attach': 'attention.attach',
    'features': 'pretrained.model',
    'get_model': 'pretrained.model',
    'list_models': 'models',
    'load': 'inference.model',
    'quantize': 'quantization',
    'train': 'training.loop.run',
    'use_fused_ops': 'ops.tracing',
}
_MODULES = {
    'attention': 'attention',
    'convert': 'convert',
    'data': 'data',
    'errors': 'common.errors',
    'explain': 'explain',
    'models': 'models',
    'training': 'training',
}

__all__ = [*_LAZY, *_MODULES]  # noqa: PLE0604 (they are strings)


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        value = getattr(import_module(f'.{_LAZY[name]}', __name__), name)
    elif name in _MODULES:
        value = import_module(f'.{_MODULES[name]}', __name__)
    else:
        raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
    globals()[name] = value
    return value


def __dir__() -> List[str]:
    return sorted({*globals(), *__all__})
