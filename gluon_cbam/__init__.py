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
    'export': 'export',
    'models': 'models',
    'training': 'training',
}

__all__ = [*_LAZY, *_MODULES]  # noqa: PLE0604 (they are strings)


def __getattr__(name: str) -> Any:
    module = _LAZY.get(name) or _MODULES.get(name)
    if module is None:
        raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
    try:
        value = import_module(f'.{module}', __name__)
    except ModuleNotFoundError as error:
        if error.name != 'mxnet':
            raise
        from .common.errors import DependencyError
        from .compat.platforms import missing_package

        raise DependencyError(f'gluon_cbam.{name} needs mxnet: {missing_package("mxnet")}') from error
    if name in _LAZY:
        value = getattr(value, name)
    globals()[name] = value
    return value


def __dir__() -> List[str]:
    return sorted({*globals(), *__all__})
