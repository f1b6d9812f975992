"""Parameters of GluonCV's FCN and DeepLabV3 on ``resnet*_v1s`` and ``resnet*_v1b``, under our names.

Their backbones have the structure and the names of ours. The heads are lists of layers, whose numbers become names.
"""

from __future__ import annotations

import re
from typing import Any, Dict, Mapping

import numpy as np

from gluon_cbam.common.errors import DataError

OF_KIND = re.compile(r'^head\.(block|aspp)\.')
"""A name that only files of this kind have."""
IGNORED = r'(?!)'
"""The names of arrays that are no parameters: none."""
_NAMES = (
    (r'^(conv1|bn1|layer\d)\.', r'backbone.\1.'),
    (r'^auxlayer\.', 'aux_head.'),
    (r'^(aux_head|head)\.block\.0\.', r'\1.hidden.conv.'),
    (r'^(aux_head|head)\.block\.1\.', r'\1.hidden.bn.'),
    (r'^(aux_head|head)\.block\.4\.', r'\1.classifier.'),
    (r'^head\.aspp\.concurent\.4\.gap\.1\.', 'pyramid.pooled.conv.'),
    (r'^head\.aspp\.concurent\.4\.gap\.2\.', 'pyramid.pooled.bn.'),
    (r'^head\.aspp\.concurent\.(\d)\.0\.', r'pyramid.branches.\1.conv.'),
    (r'^head\.aspp\.concurent\.(\d)\.1\.', r'pyramid.branches.\1.bn.'),
    (r'^head\.aspp\.project\.0\.', 'pyramid.project.conv.'),
    (r'^head\.aspp\.project\.1\.', 'pyramid.project.bn.'),
)


def our_arrays(arrays: Mapping[str, np.ndarray]) -> Dict[str, np.ndarray]:
    """Rename the arrays of a file.

    Args:
        arrays: name in the file -> array.

    Returns:
        Our name -> array; a name that is unknown is kept.
    """
    return {_our_name(name): array for name, array in arrays.items()}


def _our_name(name: str) -> str:
    for pattern, replacement in _NAMES:
        name = re.sub(pattern, replacement, name)
    return name


def check(net: Any, arrays: Mapping[str, np.ndarray]) -> None:
    """Check that a network segments, as that of the file does.

    Args:
        net: the network.
        arrays: name in the file -> array.

    Raises:
        DataError: it does not.
    """
    if not getattr(net, 'segments', False):
        kind = 'deeplabv3' if any(name.startswith('head.aspp.') for name in arrays) else 'fcn'
        raise DataError(
            f'gluoncv: its parameters are of segmentation, and {type(net).__name__} has another task: give '
            f'--network {kind}'
        )
