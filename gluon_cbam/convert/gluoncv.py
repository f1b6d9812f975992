"""Files of GluonCV's detectors and networks of segmentation: each kind has names of its own."""

from __future__ import annotations

from types import ModuleType
from typing import Any, Dict, Mapping

import numpy as np

from . import gluoncv_centernet, gluoncv_rcnn, gluoncv_segmentation, gluoncv_ssd, gluoncv_yolo3

_KINDS = (gluoncv_rcnn, gluoncv_centernet, gluoncv_yolo3, gluoncv_segmentation, gluoncv_ssd)
"""The kinds: the first of them that has a name of the file in ``OF_KIND`` is taken, else the last."""
IGNORED = '|'.join(kind.IGNORED for kind in _KINDS)
"""The names of arrays that are no parameters."""


def our_arrays(arrays: Mapping[str, np.ndarray]) -> Dict[str, np.ndarray]:
    """Rename the arrays of a file.

    Args:
        arrays: name in the file -> array.

    Returns:
        Our name -> array; a name that is unknown is kept.
    """
    return _kind(arrays).our_arrays(arrays)


def check(net: Any, arrays: Mapping[str, np.ndarray]) -> None:
    """Compare what a file says besides its parameters, such as anchors, with a network.

    Args:
        net: the network.
        arrays: name in the file -> array.

    Raises:
        DataError: they differ, or the network is of another kind.
    """
    _kind(arrays).check(net, arrays)


def _kind(arrays: Mapping[str, np.ndarray]) -> ModuleType:
    return next((kind for kind in _KINDS if any(kind.OF_KIND.match(name) for name in arrays)), _KINDS[-1])
