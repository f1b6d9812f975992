"""Predictions for images, and their formats."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Dict, NamedTuple, Optional, Sequence, Tuple

from gluon_cbam.common.errors import UsageError

if TYPE_CHECKING:
    import numpy as np


class ImageReference(NamedTuple):
    """The image of a prediction.

    Attributes:
        file: its path, or the name of a source without a path, such as a camera.
        number: the number of the record or frame in the file, or None.
        size: height and width of the decoded image, in pixels; None for one that could not be read.
    """

    file: str
    number: Optional[int] = None
    size: Optional[Tuple[int, int]] = None

    @property
    def name(self) -> str:
        """Human-readable: the file, followed by ``#`` and the number if it has one."""
        return self.file if self.number is None else f'{self.file}#{self.number}'

    def as_dict(self) -> Dict[str, Any]:
        """The image for ``--json``: ``file``, and ``number`` if there is one."""
        return {'file': self.file} if self.number is None else {'file': self.file, 'number': self.number}


class Prediction(ABC):
    """A prediction for an image. Subclasses are dataclasses with these attributes and their own.

    Attributes:
        file: see :class:`ImageReference`.
        number: see :class:`ImageReference`.
        error: why the image could not be read, or None.
    """

    file: str
    number: Optional[int]
    error: Optional[str]

    @property
    def name(self) -> str:
        """See :attr:`ImageReference.name`."""
        return ImageReference(self.file, self.number).name

    def as_dict(self) -> Dict[str, Any]:
        """The prediction as JSON holds it: ``file``, ``number`` if there is one, then ``error`` or :meth:`values`."""
        found = self.values() if self.error is None else {'error': self.error}
        return {**ImageReference(self.file, self.number).as_dict(), **found}

    @abstractmethod
    def values(self) -> Dict[str, Any]:
        """The prediction by name, as JSON holds it."""

    @abstractmethod
    def text(self) -> str:
        """The prediction in one line."""

    @abstractmethod
    def row(self) -> Sequence[Any]:
        """The prediction as the cells of :attr:`Predictor.columns`; may be shorter."""

    def rows(self) -> Sequence[Sequence[Any]]:
        """The rows of the prediction in CSV, at least one; by default :meth:`row` alone."""
        return [self.row()]


class Predictor(ABC):
    """Turns the outputs of a network into predictions.

    Attributes:
        columns: headings of the columns of a prediction in CSV.
    """

    columns: Sequence[str]

    @abstractmethod
    def __call__(self, image: ImageReference, outputs: Sequence[np.ndarray]) -> Prediction:
        """The prediction for an image.

        Args:
            image: the image.
            outputs: the outputs of the network for it: float64 arrays without the batch axis, finite.
        """

    def filtered(self, threshold: Optional[float] = None, only: Sequence[str] = ()) -> Predictor:
        """The predictor of boxes, or of several labels, that leaves out some of them.

        Args:
            threshold: the smallest score; None for any.
            only: the names of the classes to keep; empty for all.

        Raises:
            UsageError: the task has neither, or the network no class of such a name.
        """
        name = '--only' if threshold is None else '--threshold'
        raise UsageError(f'{name} chooses boxes or labels, which the task of the network does not give: leave it out')

    @abstractmethod
    def unreadable(self, image: ImageReference, error: str) -> Prediction:
        """The prediction for an image that could not be read: the error."""
