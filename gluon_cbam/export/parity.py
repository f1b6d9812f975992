"""Parity check: the outputs of an exported file are compared with those of the network before the file is kept."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import List, Sequence

import mxnet as mx
import numpy as np

from gluon_cbam.common.errors import RunError
from gluon_cbam.inference.network import LoadedNetwork

from .runtime import ExportedNetwork

TOLERANCE = 1e-4
"""Relative to the largest output: rounding differs by far less, and errors in the graph by more."""
_log = logging.getLogger('gluon_cbam.export')


@dataclass(frozen=True)
class Difference:
    """The difference of the outputs of two implementations of a network.

    Attributes:
        largest: the largest absolute difference of all outputs.
        scale: the largest absolute output.
        images: number of images that were compared.
    """

    largest: float
    scale: float
    images: int

    @property
    def relative(self) -> float:
        """The largest difference divided by the largest output."""
        return self.largest / max(self.scale, 1e-12)


def compare_outputs(loaded: LoadedNetwork, exported: ExportedNetwork, images: Sequence[np.ndarray]) -> Difference:
    """Run a network and its exported file on images, as one batch and the first image alone.

    Args:
        loaded: the network.
        exported: its file.
        images: (H, W, 3) uint8, RGB, of any size.

    Returns:
        The largest difference.

    Raises:
        RunError: an output is not finite, or the shapes of the outputs differ.
    """
    largest = scale = 0.0
    for batch in (images, images[:1]):
        expected = network_outputs(loaded, batch)
        found = exported.run(np.stack([exported.prepare(image) for image in batch]))
        if len(found) != len(expected) or any(one.shape != two.shape for one, two in zip(found, expected)):
            shapes = [[value.shape for value in values] for values in (found, expected)]
            raise RunError(f'{exported.path.name} gives the shapes {shapes[0]}, the network {shapes[1]}')
        for one, two in zip(found, expected):
            if not (np.isfinite(one).all() and np.isfinite(two).all()):
                raise RunError(f'an output of {loaded.name} is not finite: the weights or the images are wrong')
            largest = max(largest, float(np.abs(one - two).max()))
            scale = max(scale, float(np.abs(two).max()))
    return Difference(largest, scale, len(images))


def network_outputs(loaded: LoadedNetwork, images: Sequence[np.ndarray]) -> List[np.ndarray]:
    """All outputs of a network in MXNet.

    Args:
        loaded: the network.
        images: (H, W, 3) uint8, RGB, of any size.

    Returns:
        An array for each output, with a row for each image.
    """
    batch = np.stack([loaded.preprocessing(image) for image in images])
    ctx = next(iter(loaded.net.collect_params().values())).list_ctx()[0]
    output = loaded.net(mx.nd.array(batch, ctx=ctx))
    return [value.asnumpy() for value in (output if isinstance(output, (list, tuple)) else [output])]


def check_parity(difference: Difference, name: str, tolerance: float = TOLERANCE) -> None:
    """Refuse a file whose outputs differ from the network's.

    Args:
        difference: the difference of the outputs.
        name: the name of the file, for the message.
        tolerance: the largest relative difference that is accepted.

    Raises:
        RunError: the relative difference exceeds ``tolerance``.
    """
    if not difference.relative <= tolerance:
        raise RunError(
            f'{name} differs from MXNet by {difference.largest:.3g} where the largest output is '
            f'{difference.scale:.3g}: the file was not kept'
        )
    _log.info('%s differs from MXNet by %.3g at most', name, difference.largest)
