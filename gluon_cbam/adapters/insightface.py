"""Modified-CBAMnet for the training of insightface of 2018, which calls ``fcbamnet.get_symbol(emb_size, layers, ...)``.

Put a file with ``from gluon_cbam.adapters.insightface import get_symbol`` into ``src/symbols`` of insightface.
"""

from __future__ import annotations

from typing import Any

import mxnet as mx

from gluon_cbam.common.errors import UsageError, closest
from gluon_cbam.convert.symbols import to_symbol
from gluon_cbam.models import build
from gluon_cbam.models.variants import MODIFIED_CBAMNETS

_OPTIONS = ('version_input', 'version_output', 'version_act', 'ibn', 'reduction')
_WITHOUT_EFFECT = ('version_se', 'version_unit', 'workspace', 'memonger', 'input_shape')
_BUILT_IN = {'bn_mom': 0.9, 'eps': 2e-5}


def get_symbol(num_classes: int, num_layers: int, **kwargs: Any) -> mx.sym.Symbol:
    """Build the symbol of a Modified-CBAMnet under the parameter names of the source, whose checkpoints bind to it.

    Args:
        num_classes: the size of the embedding; insightface uses this name.
        num_layers: 18, 34, 49, 50, 74, 90, 100, 101, 152, 200 or 269.
        **kwargs: ``version_input``, ``version_output``, ``version_act``, ``ibn`` and ``reduction`` are options of the
            model; ``version_se``, ``version_unit``, ``workspace``, ``memonger`` and ``input_shape`` have no effect;
            ``bn_mom`` and ``eps`` must be 0.9 and 2e-5.

    Returns:
        The symbol, whose output is the embedding, (N, num_classes).

    Raises:
        UsageError: an unknown depth or argument, or a value that does not fit; a ValueError.
    """
    depths = {row.depth: row.name for row in MODIFIED_CBAMNETS}
    if num_layers not in depths:
        raise UsageError(f'unknown num_layers {num_layers!r}: known: {", ".join(map(str, depths))}')
    for name, value in kwargs.items():
        if name not in (*_OPTIONS, *_WITHOUT_EFFECT, *_BUILT_IN):
            raise UsageError(f'get_symbol has no argument {name!r}: {closest(name, (*_OPTIONS, *_WITHOUT_EFFECT))}')
        if value != _BUILT_IN.get(name, value):
            raise UsageError(f'{name} is built in as {_BUILT_IN[name]}, got {value!r}')
    options = {name: kwargs[name] for name in _OPTIONS if name in kwargs}
    net = build(depths[num_layers], embedding=num_classes, **options)
    return to_symbol(net, 'modified')
