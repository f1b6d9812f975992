"""Whether an exported file computes what the network computes, before anybody gets it."""

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
"""Of the largest output: rounding in another order stays far below it, an error of the graph does not."""
_log = logging.getLogger('gluon_cbam.export')


@dataclass(frozen=True)
class Difference:
    """How far two ways to compute a network are apart.

    Attributes:
        largest: of all differences of outputs.
        scale: the largest output.
        images: how many were compared.
    """

    largest: float
    scale: float
    images: int

    @property
    def relative(self) -> float:
        """The largest difference, as a part of the largest output."""
        return self.largest / max(self.scale, 1e-12)


def compare(loaded: LoadedNetwork, exported: ExportedNetwork, images: Sequence[np.ndarray]) -> Difference:
    """Run a network and its exported file on images, all at once and the first alone.

    Args:
        loaded: the network.
        exported: its file.
        images: (H, W, 3) uint8, RGB, of any size.

    Raises:
        RunError: an output is not finite.
    """
    largest = scale = 0.0
    for batch in (images, images[:1]):
        wanted = reference(loaded, batch)
        given = exported.run(np.stack([exported.prepare(image) for image in batch]))
        if len(given) != len(wanted) or any(one.shape != two.shape for one, two in zip(given, wanted)):
            shapes = [[value.shape for value in values] for values in (given, wanted)]
            raise RunError(f'{exported.path.name} gives the shapes {shapes[0]}, the network {shapes[1]}')
        for one, two in zip(given, wanted):
            if not (np.isfinite(one).all() and np.isfinite(two).all()):
                raise RunError(f'an output of {loaded.name} is not finite: the weights or the images are wrong')
            largest = max(largest, float(np.abs(one - two).max()))
            scale = max(scale, float(np.abs(two).max()))
    return Difference(largest, scale, len(images))


def reference(loaded: LoadedNetwork, images: Sequence[np.ndarray]) -> List[np.ndarray]:
    """All outputs of a network for images, as MXNet computes them."""
    batch = np.stack([loaded.preprocessing(image) for image in images])
    ctx = next(iter(loaded.net.collect_params().values())).list_ctx()[0]
    output = loaded.net(mx.nd.array(batch, ctx=ctx))
    return [value.asnumpy() for value in (output if isinstance(output, (list, tuple)) else [output])]


def require_close(difference: Difference, name: str, tolerance: float = TOLERANCE) -> None:
    """Refuse a file whose outputs are not the network's.

    Raises:
        RunError: they differ by more than ``tolerance`` of the largest output.
    """
    if not difference.relative <= tolerance:
        raise RunError(
            f'{name} differs from MXNet by {difference.largest:.3g} where the largest output is '
            f'{difference.scale:.3g}: the file was not kept'
        )
    _log.info('%s differs from MXNet by %.3g at most', name, difference.largest)
