"""Sessions, which run a network on devices or an exported file, from images to outputs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Callable, List, NamedTuple, Optional, Sequence

import numpy as np

from gluon_cbam.compat.renamed import renamed_attributes
from gluon_cbam.data.loading.preprocessing import Preprocessing
from gluon_cbam.data.loading.views import View
from gluon_cbam.tasks import Task
from gluon_cbam.tasks.evaluation import on_contexts
from gluon_cbam.tasks.protocols import Start

if TYPE_CHECKING:
    import mxnet as mx

    from .network import LoadedNetwork


class Preparation(NamedTuple):
    """Prepares images for a network on devices or for an exported file, which may do a part of it.

    Attributes:
        preprocessing: the preprocessing.
        normalize: see :class:`Session`.
    """

    preprocessing: Preprocessing
    normalize: Callable[[np.ndarray], np.ndarray]

    def __call__(self, pixels: np.ndarray) -> np.ndarray:
        """See :meth:`Session.prepare`."""
        return self.normalize(self.preprocessing.crop(pixels))

    def several(self, pixels: np.ndarray, views: Sequence[View]) -> np.ndarray:
        """See :meth:`gluon_cbam.data.loading.preprocessing.Preprocessing.several`; each view is a row of a batch."""
        return np.stack([self.normalize(view.of(self.preprocessing, pixels)) for view in views])

    def to_image(self, points: np.ndarray, height: int, width: int) -> np.ndarray:
        """See :meth:`gluon_cbam.data.loading.preprocessing.Preprocessing.to_image`."""
        return self.preprocessing.to_image(points, height, width)


@dataclass(frozen=True)
class Session:
    """Runs a network on batches of images.

    Attributes:
        name: the name of the network.
        classes: number of outputs of its last layer.
        class_names: the names of the classes, in the order of the outputs, or None.
        devices: the devices that a batch is divided over; its size must be a multiple.
        normalize: function from what ``preprocessing.crop`` returns, (S, S, 3) uint8 RGB, to a row of a batch.
        start: starts a batch, and returns a function that waits for the outputs, each with one row per image.
        task: the task that the network was trained for.
        preprocessing: the preprocessing of images, of which an exported file may do a part.
    """

    name: str
    classes: int
    class_names: Optional[List[str]]
    devices: int
    normalize: Callable[[np.ndarray], np.ndarray]
    start: Start
    task: Task
    preprocessing: Preprocessing

    @property
    def preparation(self) -> Preparation:
        """What :meth:`prepare` does, with the way back, for evaluations."""
        return Preparation(self.preprocessing, self.normalize)

    def prepare(self, image: np.ndarray) -> np.ndarray:
        """Prepare an image.

        Args:
            image: (H, W, 3) uint8 RGB, of any size.

        Returns:
            A row of a batch.
        """
        return self.preparation(image)

    def logits(self, pixels: np.ndarray) -> np.ndarray:
        """Run the network and wait for its first output.

        Args:
            pixels: (N, S, S, 3) uint8 RGB, as ``preprocessing.crop`` returns them; N is a multiple of ``devices``.

        Returns:
            (N, classes) float32.
        """
        return self.start(np.stack([self.normalize(each) for each in pixels]))()[0]


def on_devices(network: LoadedNetwork, ctx: List[mx.Context]) -> Session:
    """Make a session of a network on some of its contexts.

    Args:
        network: a network with weights.
        ctx: the contexts.

    Returns:
        The session.

    Raises:
        UsageError: the outputs of the network do not fit its task.
    """
    network.task.check_network(network.net, network.name, network.classes)
    start = on_contexts(network.net, ctx)
    return Session(
        network.name, network.classes, network.class_names, len(ctx), network.preprocessing.normalize, start,
        network.task, network.preprocessing,
    )  # fmt: skip


__getattr__ = renamed_attributes(
    __name__, {'Classifier': 'inference.session.Session', 'of_export': 'export.runtime.session.exported_session'}
)
