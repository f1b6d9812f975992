"""Parameters of GluonCV's SSD on ``resnet*_v1``, ``mobilenet*`` and ``vgg16_atrous``, under our names.

GluonCV numbers the layers of a stage in the order in which they are made; the structure of the blocks follows from the
sizes of the kernels. Four things differ from ours and are carried over, so that the outputs stay the same:

* the 1 x 1 convolutions of its bottlenecks have a bias, though BatchNorm follows: it is taken from the running mean;
* the BatchNorm of its extra layers has a fixed gamma, which computes as 1 whatever the file holds;
* its VGG16 multiplies the channels of the image by constants: they are multiplied into the first convolution;
* the anchors are part of the file: they are compared with ours.
"""

from __future__ import annotations

import re
from typing import Any, Dict, List, Mapping, Optional, Tuple

import numpy as np

from gluon_cbam.common.errors import DataError

_LAYER = re.compile(r'^features\.(resnetv1|mobilenet)\d+_(?:stage(\d)_)?(conv|batchnorm)(\d+)_(\w+)$')
_EXTRA = re.compile(r'^features\.expand_(trans_)?(conv|bn)(\d+)_(\w+)$')
_HEAD = re.compile(r'^(class|box)_predictors\.(\d+)\.predictor\.(weight|bias)$')
_VGG = re.compile(r'^features\.(stages|extras)\.(\d+)\.(\d+)\.(weight|bias)$')
_VGG_SCALES = {'features.norm4.scale': 'first_norm.scale'}
_IMAGE_SCALE, _FIRST_WEIGHT = 'features.init_scale', 'backbone.stages.0.convs.0.weight'
_ANCHORS = re.compile(r'^anchor_generators\.(\d+)\.anchors$')
_Layer = Tuple[Optional[str], str]  # stage, if any, and number
IGNORED = _ANCHORS.pattern
"""The names of the anchors, which are constants."""
OF_KIND = re.compile('^anchor_generators|^class_predictors')
"""A name that only files of this kind have."""


def our_arrays(arrays: Mapping[str, np.ndarray]) -> Dict[str, np.ndarray]:
    """Rename the arrays of a file, and take biases into running means.

    Args:
        arrays: name in the file -> array.

    Returns:
        Our name -> array; a name that is unknown is kept.
    """
    paths = _paths_of_layers(arrays)
    renamed, biases = {}, {}
    for name, array in arrays.items():
        layer, extra, head, vgg = _LAYER.match(name), _EXTRA.match(name), _HEAD.match(name), _VGG.match(name)
        if layer and (layer[2], layer[4]) in paths:
            path = paths[layer[2], layer[4]][layer[3] == 'batchnorm']
            if layer[3] == 'conv' and layer[5] == 'bias':
                biases[paths[layer[2], layer[4]][1] + '.running_mean'] = array
                continue
            renamed[f'{path}.{layer[5]}'] = array
        elif extra:
            kind = extra[4].replace('moving', 'running')
            path = f'extras.{extra[3]}.{extra[2]}{1 if extra[1] else 2}'
            renamed[f'{path}.{kind}'] = np.ones_like(array) if kind == 'gamma' else array
        elif head:
            renamed[f'heads.{head[2]}.{head[1]}_predictor.{head[3]}'] = array
        elif vgg:
            renamed[f'{_vgg_path(vgg[1], vgg[2], int(vgg[3]) // 2)}.{vgg[4]}'] = array  # activations are numbered, too
        else:
            renamed[_VGG_SCALES.get(name, name)] = array
    weight, scale = (renamed.get(name, np.empty(0)) for name in (_FIRST_WEIGHT, _IMAGE_SCALE))
    if weight.ndim == 4 and scale.shape == (1, weight.shape[1], 1, 1):
        renamed[_FIRST_WEIGHT] = weight * renamed.pop(_IMAGE_SCALE)
    for name, bias in biases.items():
        if name in renamed and renamed[name].shape == bias.shape:
            renamed[name] = renamed[name] - bias
    return renamed


def _vgg_path(kind: str, stage: str, number: int) -> str:
    """Our path of a convolution of a VGG16 or of an extra layer without BatchNorm."""
    return f'extras.{stage}.conv{number + 1}' if kind == 'extras' else f'backbone.stages.{stage}.convs.{number}'


def check(net: Any, arrays: Mapping[str, np.ndarray]) -> None:
    """Compare the anchors of a file with those of a detector, at the size that the detector is made for.

    Args:
        net: the detector.
        arrays: name in the file -> array.

    Raises:
        DataError: they differ.
    """
    found = {
        int(match[1]): array for match, array in ((_ANCHORS.match(name), arrays[name]) for name in arrays) if match
    }
    if not hasattr(net, 'anchors_of_maps'):
        raise DataError(f"gluoncv: its parameters are SSD's, and {type(net).__name__} is none: give --network ssd_512")
    for number, anchors in enumerate(net.anchors_of_maps()):
        rows, columns = anchors.shape[:2]
        theirs = found.get(number, np.empty(0))
        theirs = theirs[0, 0, :rows, :columns] if theirs.ndim == 5 else theirs
        if theirs.size != anchors.size or np.abs(theirs.reshape(anchors.shape) - anchors).max() > 1e-2:
            wanted = _sizes_of(found)
            raise DataError(
                f'gluoncv: the anchors of map {number} differ from those of {type(net).__name__}'
                + (f": try --option 'anchor_sizes={wanted}'" if wanted else '')
            )


def _sizes_of(found: Mapping[int, np.ndarray]) -> List[float]:
    """The sizes of the anchors of a file."""
    cells = [found[number].reshape(-1)[:8] for number in sorted(found) if found[number].size >= 8]
    sizes = [float(cell[2]) for cell in cells]
    last = [float(cells[-1][6] ** 2 / cells[-1][2])] if cells else []
    return [round(size, 3) for size in (*sizes, *last)]


def _paths_of_layers(arrays: Mapping[str, np.ndarray]) -> Dict[_Layer, Tuple[str, str]]:
    """The layers of the backbone -> our paths of the convolution and of its BatchNorm."""
    kernels: Dict[Optional[str], Dict[int, int]] = {}
    family = ''
    for name, array in arrays.items():
        layer = _LAYER.match(name)
        if layer and layer[3] == 'conv' and layer[5] == 'weight' and array.ndim == 4:
            family = layer[1]
            kernels.setdefault(layer[2], {})[int(layer[4])] = array.shape[2]
    if family == 'mobilenet':
        units = (f'backbone.units.{number}' for number in kernels.get(None, {}))
        return {(None, unit.rpartition('.')[2]): (f'{unit}.conv', f'{unit}.bn') for unit in units}
    paths: Dict[_Layer, Tuple[str, str]] = {(None, '0'): ('backbone.conv1', 'backbone.bn1')}
    for stage, sizes in kernels.items():
        for number, (conv, norm) in enumerate(_blocks([sizes[n] for n in sorted(sizes)]) if stage else ()):
            paths[stage, str(number)] = f'backbone.layer{stage}.{conv}', f'backbone.layer{stage}.{norm}'
    return paths


def _blocks(kernels: List[int]) -> List[Tuple[str, str]]:
    """The paths in a stage of its convolutions, in the order of GluonCV, from the sizes of their kernels."""
    length = 2 if kernels[0] == 3 else 3
    projected = len(kernels) % length == 1
    paths = []
    for number, _ in enumerate(kernels):
        if projected and number == length:
            paths.append(('0.downsample.0', '0.downsample.1'))
            continue
        block, place = divmod(number - (projected and number > length), length)
        paths.append((f'{block}.conv{place + 1}', f'{block}.bn{place + 1}'))
    return paths
