"""Parameters of GluonCV's YOLOv3 on ``mobilenet1.0``, under our names; its anchors are compared with ours."""

from __future__ import annotations

import re
from typing import Any, Dict, Mapping

import numpy as np

from gluon_cbam.common.errors import DataError

OF_KIND = re.compile(r'^yolo_blocks\.')
"""A name that only files of YOLOv3 have."""
IGNORED = r'^yolo_outputs\.\d\.(anchors|offsets)$'
"""The names of the anchors and of the places of cells."""
_LAYER = re.compile(r'^stages\.(\d)\.(\d+)\.(\w+)$')
_UNITS = (0, 11, 23)  # number of the first unit of each stage
_KINDS = ('conv', 'bn')  # of the layers of a unit; the third one is the ReLU
_RULES = (
    (r'^yolo_blocks\.(\d)\.(body\.\d|tip)\.0\.', r'blocks.\1.\2.conv.'),
    (r'^yolo_blocks\.(\d)\.(body\.\d|tip)\.1\.', r'blocks.\1.\2.bn.'),
    (r'^transitions\.(\d)\.0\.', r'transitions.\1.conv.'),
    (r'^transitions\.(\d)\.1\.', r'transitions.\1.bn.'),
    (r'^yolo_outputs\.(\d)\.prediction\.', r'heads.\1.predictor.'),
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
    layer = _LAYER.match(name)
    if layer and int(layer[1]) < len(_UNITS) and int(layer[2]) % 3 < len(_KINDS):
        unit, kind = divmod(int(layer[2]), 3)
        return f'backbone.units.{_UNITS[int(layer[1])] + unit}.{_KINDS[kind]}.{layer[3]}'
    for pattern, replacement in _RULES:
        name = re.sub(pattern, replacement, name)
    return name


def check(net: Any, arrays: Mapping[str, np.ndarray]) -> None:
    """Compare the anchors of a file with those of a YOLOv3.

    Args:
        net: the detector.
        arrays: name in the file -> array.

    Raises:
        DataError: they differ, or the network is no YOLOv3.
    """
    if not hasattr(net, 'cells'):
        raise DataError(f"gluoncv: its parameters are YOLOv3's, and {type(net).__name__} is none: give --network yolo3")
    names = [f'yolo_outputs.{number}.anchors' for number in range(len(net.anchor_sizes))]
    theirs = [np.asarray(arrays.get(name, np.empty(0))).reshape(-1) for name in names]
    for number, (found, own) in enumerate(zip(theirs, net.anchor_sizes)):
        if found.size != 2 * len(own) or np.abs(found - np.ravel(own)).max() > 1e-2:
            sizes = np.round(np.concatenate(theirs[::-1]).astype(float), 3)
            wanted = f": try --option 'anchor_sizes={sizes.tolist()}'" if sizes.size == 18 else ''
            raise DataError(f'gluoncv: the anchors of map {number} differ from those of {type(net).__name__}{wanted}')
