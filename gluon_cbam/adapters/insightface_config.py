"""Modified-CBAMnet as insightface's training of 2019 calls its symbols: ``get_symbol()``, all else from ``config``.

Put a file into its ``recognition/symbol`` that holds ``from gluon_cbam.adapters.insightface_config import get_symbol``
and name that file in ``net_name`` of its ``config.py``.
"""

from __future__ import annotations

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


def get_symbol(config=None) -> mx.sym.Symbol:
    """The symbol that a configuration describes, under the original parameter names.

    Args:
        config: an object with the attributes ``emb_size`` and ``num_layers``, and if they differ from the network's
            defaults ``net_input``, ``net_output``, ``net_act``, ``bn_mom``, ``net_ibn`` and ``net_reduction``; default
            the ``config`` of the module of that name, which insightface puts on its path.

    Raises:
        ImportError: no configuration is given, and there is no module ``config``.
        ValueError: a value does not fit.
    """
    if config is None:
        from config import config
    given = {argument: getattr(config, name) for name, argument in _SETTINGS.items() if hasattr(config, name)}
    return insightface.get_symbol(config.emb_size, config.num_layers, **given)
