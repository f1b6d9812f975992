"""What trains a kind of detectors: the targets of a batch, and the terms of its loss."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, NamedTuple, Optional, Sequence, Tuple

if TYPE_CHECKING:
    import mxnet as mx


class Place(NamedTuple):
    """Which images of a run a device's part of a batch has; random numbers depend on it and the run's seed only.

    Attributes:
        step: number of the step, from 0.
        batch: index of the batch within the step, from 0.
        first: number of the first image within the batch of all devices and processes, from 0.
    """

    step: int
    batch: int
    first: int


class Criterion(ABC):
    """The loss of a kind of detectors: a row of :data:`gluon_cbam.tasks.detection.objective.CRITERIA`.

    All arrays are on the device of the boxes, and none is waited for.
    """

    @abstractmethod
    def targets(self, boxes: mx.nd.NDArray, height: int, width: int, place: Place) -> Sequence[mx.nd.NDArray]:
        """Compute the targets of images, without recording gradients.

        Args:
            boxes: (N, M, 5) float32: class from 0, xmin, ymin, xmax and ymax in pixels of the input. Rows of class -1
                are padding, rows of class -2 crowd regions.
            height: height of the input, in pixels.
            width: width of the input, in pixels.
            place: which images they are.
        """

    def divisors(self, targets: Sequence[mx.nd.NDArray]) -> Optional[mx.nd.NDArray]:
        """What each image adds to the number that the terms are divided by.

        The default divides by the number of images.

        Args:
            targets: the result of :meth:`targets`.

        Returns:
            (N,), for instance the positive anchors of each image, summed over all devices and processes; or None to
            divide by the number of images.
        """
        return None

    @abstractmethod
    def __call__(
        self, net: mx.gluon.HybridBlock, images: mx.nd.NDArray, targets: Sequence[mx.nd.NDArray]
    ) -> Tuple[Sequence[mx.nd.NDArray], mx.nd.NDArray]:
        """Run the network in training, with gradients recorded, and compute the terms of its loss.

        Args:
            net: the network.
            images: (N, C, H, W) float32.
            targets: the result of :meth:`targets`, and the masks of a
                :class:`gluon_cbam.data.loading.box_mask_training.MaskedDetectionBatch`.

        Returns:
            The terms (N,) of :data:`gluon_cbam.tasks.detection.terms.TERMS` in their order, weighted and not divided,
            whose sum is the loss of each image; and the number of positive anchors, RoIs or points of each image, (N,).
        """
