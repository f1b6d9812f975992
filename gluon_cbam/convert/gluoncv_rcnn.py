"""Parameters of GluonCV's Faster R-CNN and Mask R-CNN on ``resnet*_v1b`` under our names.

Faster R-CNN is with and without a feature pyramid, Mask R-CNN with one. With a pyramid, the layers of the backbone are
numbered in each stage; the structure of the blocks follows from the first kernel. The anchors are part of the file:
they are compared with ours.
"""

from __future__ import annotations

import re
from typing import Any, Dict, Mapping

import numpy as np

from gluon_cbam.common.errors import DataError

_RULES = (
    # with a pyramid
    (r'^features\.resnetv1b\d*_conv0_', 'backbone.conv1.'),
    (r'^features\.resnetv1b\d*_batchnorm0_', 'backbone.bn1.'),
    (r'^features\.resnetv1b\d*_down(\d)_conv0_', r'backbone.layer\1.0.downsample.0.'),
    (r'^features\.resnetv1b\d*_down(\d)_batchnorm0_', r'backbone.layer\1.0.downsample.1.'),
    (r'^features\.P6_conv1_', 'pyramid.coarser.0.'),
    (r'^rpn\.rpn_head\.', 'rpn.'),
    (r'^box_features\.[01]\.', 'head.dense1.'),  # Mask R-CNN has an average before it
    (r'^box_features\.[23]\.', 'head.dense2.'),
    *((rf'^mask\.deconv\.{2 * number}\.', f'mask_head.convs.{number}.') for number in range(4)),
    (r'^mask\.deconv\.8\.', 'mask_head.deconv.'),
    (r'^mask\.mask\.', 'mask_head.predictor.'),
    # without
    (r'^features\.0\.', 'backbone.conv1.'),
    (r'^features\.1\.', 'backbone.bn1.'),
    (r'^top_features\.0\.', 'backbone.layer4.'),
    # both
    (r'^rpn\.conv1\.0\.', 'regions.conv.'),
    (r'^rpn\.score\.', 'regions.score_predictor.'),
    (r'^rpn\.loc\.', 'regions.box_predictor.'),
    (r'^(class|box)_predictor\.', r'predictor.\1_predictor.'),
)
_LAYER = re.compile(r'^features\.resnetv1b\d*_layers(\d)_(conv|batchnorm)(\d+)_(\w+)$')
_LEVEL = re.compile(r'^features\.P([2-5])_conv_?(lat|1)_(\w+)$')
_STAGE = re.compile(r'^features\.([4-6])\.')
_ANCHORS = re.compile(r'^rpn\.anchor_generator(?:\.(\d+))?\.anchors$')
_CONSTANTS = r'^normalizedperclassboxcenterencoder\w*$'  # of targets
IGNORED = f'{_ANCHORS.pattern}|{_CONSTANTS}'
"""The names of constants."""
_CELLS = 4
OF_KIND = re.compile(r'^rpn\.')
"""A name that only files of this kind have."""


def our_arrays(arrays: Mapping[str, np.ndarray]) -> Dict[str, np.ndarray]:
    """Rename the arrays of a file.

    Args:
        arrays: name in the file -> array.

    Returns:
        Our name -> array; a name that is unknown is kept.
    """
    first = next((array for name, array in arrays.items() if name.endswith('_layers1_conv0_weight')), None)
    length = 2 if first is not None and first.shape[2:] == (3, 3) else 3  # convolutions of a block
    return {_our_name(name, length): array for name, array in arrays.items()}


def _our_name(name: str, length: int) -> str:
    layer, level, stage = _LAYER.match(name), _LEVEL.match(name), _STAGE.match(name)
    if layer:
        block, place = divmod(int(layer[3]), length)
        return f'backbone.layer{layer[1]}.{block}.{layer[2].replace("batchnorm", "bn")}{place + 1}.{layer[4]}'
    if level:
        return f'pyramid.{"laterals" if level[2] == "lat" else "outputs"}.{int(level[1]) - 2}.{level[3]}'
    if stage:
        return f'backbone.layer{int(stage[1]) - 3}.{name[stage.end() :]}'
    for pattern, replacement in _RULES:
        name = re.sub(pattern, replacement, name)
    return name


def check(net: Any, arrays: Mapping[str, np.ndarray]) -> None:
    """Compare the kind and the anchors of a file with those of a detector, on maps of 4 x 4 cells.

    Args:
        net: the detector.
        arrays: name in the file -> array.

    Raises:
        DataError: they differ.
    """
    if not hasattr(net, 'anchors_of_cells'):
        raise DataError(
            f"gluoncv: its parameters are Faster R-CNN's, and {type(net).__name__} is none: give --network "
            'faster_rcnn_fpn or faster_rcnn_c4'
        )
    _check_masks(net, arrays)
    found = {int(match[1] or 0): arrays[match[0]] for match in map(_ANCHORS.match, arrays) if match}
    for number, anchors in enumerate(net.anchors_of_cells(_CELLS)):
        theirs = found.get(number, np.empty(0))
        theirs = theirs[0, 0, :_CELLS, :_CELLS].reshape(-1, 4) if theirs.ndim == 5 else theirs
        if theirs.shape != anchors.shape or np.abs(theirs - anchors).max() > 1e-2:
            raise DataError(
                f'gluoncv: the anchors of map {number} differ from those of {type(net).__name__}: see --option '
                'anchor_sizes'
            )


def _check_masks(net: Any, arrays: Mapping[str, np.ndarray]) -> None:
    """Compare whether masks are found, and whether both heads have the same RoIs, as in GluonCV's Mask R-CNN."""
    masks = any(name.startswith('mask.') for name in arrays)
    if masks != getattr(net, 'finds_masks', False):
        kind, name = ('Mask', 'mask_rcnn_fpn') if masks else ('Faster', 'faster_rcnn_fpn or faster_rcnn_c4')
        raise DataError(
            f"gluoncv: its parameters are {kind} R-CNN's, and {type(net).__name__} is none: give --network {name}"
        )
    if masks and not net.shared_rois:
        raise DataError("gluoncv: GluonCV's Mask R-CNN averages the RoIs of its masks: give --option shared_rois=true")
