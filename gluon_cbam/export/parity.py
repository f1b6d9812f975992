"""Parity check: the outputs of an exported file are compared with those of the network before the file is kept."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import Iterator, List, Optional, Sequence, Tuple

import cv2
import mxnet as mx
import numpy as np

from gluon_cbam.common.errors import RunError
from gluon_cbam.inference.network import LoadedNetwork

from .detection_rows import LEAST_AGREEING, RowAgreement, compare_rows
from .precision import FLOAT32, TOLERANCES
from .runtime import ExportedNetwork

_log = logging.getLogger('gluon_cbam.export')
Size = Tuple[int, int]
"""Height and width, in pixels."""


@dataclass(frozen=True)
class Difference:
    """The difference of the outputs of two implementations of a network.

    Attributes:
        largest: the largest absolute difference, of the output that differs most; of detections, of those that agree.
        scale: the largest absolute value of that output.
        images: number of images that were compared.
        detections: the agreement of detections, row by row; None for other outputs.
        sizes: the sizes that the images had, where that is free.
    """

    largest: float
    scale: float
    images: int
    detections: Optional[RowAgreement] = None
    sizes: Tuple[Size, ...] = ()

    @property
    def relative(self) -> float:
        """The largest difference divided by the largest output."""
        return self.largest / max(self.scale, 1e-12)

    def joined(self, found: np.ndarray, expected: np.ndarray) -> Difference:
        """This difference and that of further values of the same output."""
        largest = max(self.largest, float(np.abs(found - expected).max()))
        return replace(self, largest=largest, scale=max(self.scale, float(np.abs(expected).max())))


def compare_outputs(
    loaded: LoadedNetwork,
    exported: ExportedNetwork,
    images: Sequence[np.ndarray],
    precision: str = FLOAT32,
    sizes: Sequence[Size] = (),
) -> Difference:
    """Run a network and its exported file on images, as one batch and the first image alone.

    Args:
        loaded: the network.
        exported: its file.
        images: (H, W, 3) uint8, RGB, of any size.
        precision: the precision of the file, which says how close detections are that agree.
        sizes: further sizes to compare at, where the file takes them.

    Returns:
        The largest difference.

    Raises:
        RunError: an output is not finite, or the shapes of the outputs differ.
    """
    differences: List[Difference] = []
    rows = RowAgreement(0, 0, 0.0, 0.0) if exported.gives_detections else None
    for batch in _batches(loaded, images, sizes):
        expected = network_outputs(loaded, batch, exported.nms)
        found = exported.run(np.stack([exported.normalize(image) for image in batch]))
        _check_outputs(exported.path.name, loaded.name, found, expected)
        if rows is not None:
            rows += compare_rows(found[0], expected[0], TOLERANCES[precision])
            continue
        pairs = list(zip(found, expected))
        before = differences or [Difference(0.0, 0.0, len(images))] * len(pairs)
        differences = [one.joined(*pair) for one, pair in zip(before, pairs)]
    if rows is not None:
        return Difference(rows.largest, rows.scale, len(images), rows, tuple(sizes))
    return replace(max(differences, key=lambda one: one.relative), sizes=tuple(sizes))


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


def check_parity(difference: Difference, name: str, precision: str = FLOAT32) -> None:
    """Refuse a file whose outputs differ from the network's.

    Args:
        difference: the difference of the outputs.
        name: the name of the file, for the message.
        precision: the precision of the file.

    Raises:
        RunError: the relative difference exceeds that of :data:`.precision.TOLERANCES`, or fewer detections agree than
            :data:`.detection_rows.LEAST_AGREEING` says.
    """
    rows = difference.detections
    if rows is not None and not rows.rows:
        raise RunError(f'{name} was not kept: nothing is found on these images: compare on others with --image FILE')
    if rows is not None and rows.part < LEAST_AGREEING[precision]:
        raise RunError(
            f'{name} differs from MXNet: {rows.agreeing} of {rows.rows} detections agree: the file was not kept'
        )
    if not difference.relative <= TOLERANCES[precision]:
        raise RunError(
            f'{name} differs from MXNet by {difference.largest:.3g} where the largest output is '
            f'{difference.scale:.3g}: the file was not kept'
        )
    _log.info('%s differs from MXNet by %.3g at most', name, difference.largest)
