"""The embedding of an image as a prediction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Dict, List, Optional, Sequence

import numpy as np

from gluon_cbam.tasks.prediction import ImageReference, Prediction, Predictor

_SHOWN = 4  # numbers of an embedding in a line


@dataclass(frozen=True, eq=False)
class EmbeddingPrediction(Prediction):
    """The embedding of an image, as the network gives it: not normalized.

    Attributes:
        image: the image.
        embedding: (D,) float64; None for an image that could not be read.
        norm: the norm that the network gives as its second output; default the embedding's.
        error: why the image could not be read, or None.
    """

    image: ImageReference
    embedding: Optional[np.ndarray] = None
    norm: float = 0.0
    error: Optional[str] = None

    @property
    def file(self) -> str:  # type: ignore[override]
        """See :class:`gluon_cbam.tasks.prediction.ImageReference`."""
        return self.image.file

    @property
    def number(self) -> Optional[int]:  # type: ignore[override]
        """See :class:`gluon_cbam.tasks.prediction.ImageReference`."""
        return self.image.number

    @property
    def numbers(self) -> List[float]:
        """The numbers of the embedding; none for an image that could not be read."""
        return [] if self.embedding is None else self.embedding.tolist()

    def values(self) -> Dict[str, Any]:
        """``norm`` and ``embedding``."""
        return {'norm': self.norm, 'embedding': self.numbers}

    def text(self) -> str:
        """The size, the norm and the first numbers: ``512 numbers, norm 21.43: 0.5123 -1.2034 0.0412 0.9123 ...``."""
        numbers = self.numbers
        first = ' '.join(f'{value:.4f}' for value in numbers[:_SHOWN])
        more = ' ...' if len(numbers) > _SHOWN else ''
        return f'{len(numbers)} numbers, norm {self.norm:.2f}: {first}{more}'

    def row(self) -> List[Any]:
        """The norm, and the numbers in one cell, a list of JSON."""
        return [self.norm, f'[{", ".join(f"{value:.9g}" for value in self.numbers)}]']


class EmbeddingPredictor(Predictor):
    """Gives the first output of a network as it is, with its norm, which may be a second output."""

    columns = ('norm', 'embedding')

    def __call__(self, image: ImageReference, outputs: Sequence[np.ndarray]) -> EmbeddingPrediction:
        """The embedding."""
        embedding = outputs[0].ravel()
        norm = outputs[1][0] if len(outputs) > 1 else np.linalg.norm(embedding)
        return EmbeddingPrediction(image, embedding, float(norm))

    def unreadable(self, image: ImageReference, error: str) -> EmbeddingPrediction:
        """No embedding."""
        return EmbeddingPrediction(image, error=error)
