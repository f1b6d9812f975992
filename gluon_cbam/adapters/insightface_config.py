"""Modified-CBAMnet for the training of insightface of 2019, which calls ``get_symbol()`` and uses its ``config``.

Put a file with ``from gluon_cbam.adapters.insightface_config import get_symbol`` into ``recognition/symbol`` of
insightface, and name that file in ``net_name`` of its ``config.py``.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

import mxnet as mx

from . import insightface

# name in config -> argument of get_symbol; insightface sets all but the last two
_SETTINGS = {
    'net_input': 'version_input',
    'net_output': 'version_output',
    'net_act': 'version_act',
    'bn_mom': 'bn_mom',
    'net_ibn': 'ibn',
    'net_reduction': 'reduction',
}


def get_symbol(config: Any = None) -> mx.sym.Symbol:
    """Build the symbol of a configuration, under the parameter names of the source.

    Args:
        config: an object with the attributes ``emb_size`` and ``num_layers``, and if they differ from the network's
            defaults ``net_input``, ``net_output``, ``net_act``, ``bn_mom``, ``net_ibn`` and ``net_reduction``; default
            the ``config`` of the module of that name, which insightface puts on its path.

    Returns:
        The symbol, whose output is the embedding, (N, emb_size).

    Raises:
        ImportError: no configuration is given, and there is no module ``config``.
        UsageError: a value does not fit; a ValueError.
    """
    if config is None:
        config = import_module('config').config
    given = {argument: getattr(config, name) for name, argument in _SETTINGS.items() if hasattr(config, name)}
    return insightface.get_symbol(config.emb_size, config.num_layers, **given)
