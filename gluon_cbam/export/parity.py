"""Parity check: the outputs of an exported file are compared with those of the network before the file is kept."""

from __future__ import annotations

import logging
from typing import Iterator, List, Optional, Sequence

import cv2
import mxnet as mx
import numpy as np

from gluon_cbam.common.errors import RunError
from gluon_cbam.inference.network import LoadedNetwork

from .agreement import Agreement, compare
from .precision import FLOAT32, TOLERANCES
from .request import Size
from .runtime import ExportedNetwork

_log = logging.getLogger('gluon_cbam.export')


def compare_outputs(
    loaded: LoadedNetwork,
    exported: ExportedNetwork,
    images: Sequence[np.ndarray],
    precision: str = FLOAT32,
    sizes: Sequence[Size] = (),
) -> Agreement:
    """Run a network and its exported file on images, as one batch and the first image alone.

    Args:
        loaded: the network.
        exported: its file.
        images: (H, W, 3) uint8, RGB, of any size.
        precision: the precision of the file, which says how close detections are that agree.
        sizes: further sizes to compare at, where the file takes them.

    Returns:
        The agreement with the network.

    Raises:
        RunError: an output is not finite, or the shapes of the outputs differ.
    """
    total: Optional[Agreement] = None
    for batch in _batches(loaded, images, sizes):
        expected = network_outputs(loaded, batch, exported.nms)
        found = exported.run(np.stack([exported.normalize(image) for image in batch]))
        _check_outputs(exported.path.name, loaded.name, found, expected)
        agreement = compare(found, expected, TOLERANCES[precision], exported.gives_boxes)
        total = agreement if total is None else total.joined(agreement)
    assert total is not None, 'there is a batch'
    return total


def _batches(loaded: LoadedNetwork, images: Sequence[np.ndarray], sizes: Sequence[Size]) -> Iterator[List[np.ndarray]]:
    """The cropped images as one batch, and the first one alone; at other sizes, the first two."""
    cropped = [loaded.preprocessing.crop(image) for image in images]
    yield cropped
    yield cropped[:1]
    for height, width in sizes:
        yield [cv2.resize(image, (width, height)) for image in cropped[:2]]


def _check_outputs(file: str, network: str, found: Sequence[np.ndarray], expected: Sequence[np.ndarray]) -> None:
    if len(found) != len(expected) or any(one.shape != two.shape for one, two in zip(found, expected)):
        shapes = [[value.shape for value in values] for values in (found, expected)]
        raise RunError(f'{file} gives the shapes {shapes[0]}, the network {shapes[1]}')
    if not all(np.isfinite(value).all() for value in (*found, *expected)):
        raise RunError(f'an output of {network} is not finite: the weights or the images are wrong')


def network_outputs(loaded: LoadedNetwork, images: Sequence[np.ndarray], nms: bool = True) -> List[np.ndarray]:
    """All outputs of a network in MXNet.

    Args:
        loaded: the network.
        images: (H, W, 3) uint8, RGB, all of the size of the network's input.
        nms: False for the boxes and scores of a detector before its suppression.

    Returns:
        An array for each output, with a row for each image.
    """
    batch = np.stack([loaded.preprocessing.normalize(image) for image in images])
    ctx = next(iter(loaded.net.collect_params().values())).list_ctx()[0]
    x = mx.nd.array(batch, ctx=ctx)
    output = loaded.net(x) if nms else loaded.net.candidates(mx.nd, x, *loaded.net.constants(x))
    return [value.asnumpy() for value in (output if isinstance(output, (list, tuple)) else [output])]


def check_parity(agreement: Agreement, name: str, precision: str = FLOAT32) -> None:
    """Refuse a file whose outputs differ from the network's.

    Args:
        agreement: the agreement of the outputs.
        name: the name of the file, for the message.
        precision: the precision of the file.

    Raises:
        RunError: the outputs do not agree, see :meth:`.agreement.Agreement.agrees`, or nothing was found to compare.
    """
    rows = agreement.rows
    if rows is not None and not rows.rows:
        raise RunError(f'{name} was not kept: nothing is found on these images: compare on others with --image FILE')
    if not agreement.agrees(precision):
        what = f' by {agreement.largest:.3g} where the largest output is {agreement.scale:.3g}'
        if rows is not None:
            what = f': {rows.agreeing} of {rows.rows} detections agree'
        raise RunError(f'{name} differs from MXNet{what}: the file was not kept')
    _log.info('%s differs from MXNet by %.3g at most', name, agreement.largest)
