"""Parameters of GluonCV's CenterNet on ``resnet*_v1b``, without deformable convolutions, under our names.

The convolutions before the transposed ones have a bias there, though BatchNorm follows: it is taken from the running
mean, so that the outputs stay the same.
"""

from __future__ import annotations

import re
from typing import Any, Dict, Mapping

import numpy as np

from gluon_cbam.common.errors import DataError

OF_KIND = re.compile(r'^base_network\.deconv\.')
"""A name that only files of CenterNet have."""
IGNORED = r'(?!)'
"""The names of arrays that are no parameters: none."""
_STAGE = re.compile(r'^base_network\.base_network\.([4-7])\.')
_STEM = {'base_network.base_network.0.': 'backbone.conv1.', 'base_network.base_network.1.': 'backbone.bn1.'}
_DECONV = re.compile(r'^base_network\.deconv\.(\d+)\.(\w+)$')
_STEP = {0: 'conv', 1: 'bn1', 3: 'deconv', 4: 'bn2'}  # of the six layers that double a map
_HEAD = re.compile(r'^heads\.([0-2])\.([02])\.')
_HEADS = ('heatmap', 'size', 'offset')


def our_arrays(arrays: Mapping[str, np.ndarray]) -> Dict[str, np.ndarray]:
    """Rename the arrays of a file, and take biases into running means.

    Args:
        arrays: name in the file -> array.

    Returns:
        Our name -> array; a name that is unknown is kept.
    """
    renamed = {_our_name(name): array for name, array in arrays.items()}
    for name in [each for each in renamed if re.match(r'upsampling\.\d+\.conv\.bias$', each)]:
        mean = name.replace('conv.bias', 'bn1.running_mean')
        if mean in renamed and renamed[mean].shape == renamed[name].shape:
            renamed[mean] = renamed[mean] - renamed.pop(name)
    return renamed


def _our_name(name: str) -> str:
    for theirs, ours in _STEM.items():
        if name.startswith(theirs):
            return ours + name[len(theirs) :]
    layer, head = _DECONV.match(name), _HEAD.match(name)
    if layer and int(layer[1]) % 6 in _STEP:
        step, place = divmod(int(layer[1]), 6)
        return f'upsampling.{step}.{_STEP[place]}.{layer[2]}'
    if head:
        layer_name = 'conv' if head[2] == '0' else 'predictor'
        return f'{_HEADS[int(head[1])]}.{layer_name}.{name[head.end() :]}'
    return _STAGE.sub(lambda stage: f'backbone.layer{int(stage[1]) - 3}.', name)


def check(net: Any, arrays: Mapping[str, np.ndarray]) -> None:
    """Check that a network is a CenterNet.

    Args:
        net: the network.
        arrays: name in the file -> array.

    Raises:
        DataError: it is not.
    """
    if not hasattr(net, 'heatmap'):
        raise DataError(
            f"gluoncv: its parameters are CenterNet's, and {type(net).__name__} is none: give --network centernet"
        )
