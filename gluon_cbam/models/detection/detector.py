"""The base of detectors."""

from __future__ import annotations

from typing import Any, Tuple

from gluon_cbam.attention.blocks import positive_int
from gluon_cbam.common.errors import UsageError
from gluon_cbam.common.types import OpNamespace, Tensor
from gluon_cbam.models.mode_graphs import ModeGraphs


class Detector(ModeGraphs):
    """A network that finds objects.

    Subclasses add their blocks, call :meth:`_add_graphs` last, and implement ``raw`` and :meth:`detections`.

    Args:
        classes: number of classes, without the background.

    Attributes:
        detects: True; other networks have no such attribute.
        classes: the number of classes.

    Inputs:
        (N, C, H, W), float. Height and width are at least the stride of the last map of the backbone that is read, so
        that it has a whole cell. While training, a detector that needs the objects takes further inputs.

    Outputs:
        While training (in ``autograd.record()`` and ``train_mode()``): what ``raw`` says. Otherwise: detections
        (N, keep, 6) float32: class from 0, score, xmin, ymin, xmax and ymax in pixels of the input, by falling score;
        -1 in rows without a detection; boxes may reach over the borders of the input.
    """

    detects = True

    def __init__(self, classes: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.classes = positive_int('classes', classes)

    def detections(self, F: OpNamespace, x: Tensor, *constants: Tensor) -> Tensor:
        """Compute detections; see :class:`Detector`.

        Args:
            F: ``mxnet.ndarray`` or ``mxnet.symbol``.
            x: (N, C, H, W).
            *constants: the arrays of ``constants``; none for a graph that fits any size.
        """
        raise NotImplementedError

    def final(self, F: OpNamespace, x: Tensor, *constants: Tensor) -> Tensor:
        """See :meth:`detections`."""
        return self.detections(F, x, *constants)

    def candidates(self, F: OpNamespace, x: Tensor, *constants: Tensor) -> Tuple[Tensor, Tensor]:
        """Compute the boxes and scores that non-maximum suppression chooses from.

        Args:
            F: ``mxnet.ndarray`` or ``mxnet.symbol``.
            x: (N, C, H, W).
            *constants: see :meth:`detections`.

        Returns:
            (N, A, 4) float32 xmin, ymin, xmax and ymax in pixels of the input, and (N, A, classes) float32 scores. A
            detector that has a box for each class gives (N, A, classes, 4) boxes.

        Raises:
            UsageError: this detector chooses in another way.
        """
        raise UsageError(f'{type(self).__name__} has no boxes before one non-maximum suppression: leave out --no-nms')
