"""The embedding of an image as a prediction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Dict, List, Optional, Sequence

import numpy as np

from gluon_cbam.tasks.prediction import ImageReference, Prediction, Predictor

_SHOWN = 4  # numbers of an embedding in a line


@dataclass(frozen=True)
class EmbeddingPrediction(Prediction):
    """The embedding of an image, as the network gives it: not normalized.

    Attributes:
        file: see :class:`gluon_cbam.tasks.prediction.ImageReference`.
        number: see :class:`gluon_cbam.tasks.prediction.ImageReference`.
        embedding: its numbers; empty for an image that could not be read.
        norm: its L2 norm.
        error: why the image could not be read, or None.
    """

    file: str
    number: Optional[int] = None
    embedding: Sequence[float] = ()
    norm: float = 0.0
    error: Optional[str] = None

    def values(self) -> Dict[str, Any]:
        """``norm`` and ``embedding``."""
        return {'norm': self.norm, 'embedding': list(self.embedding)}

    def text(self) -> str:
        """The size, the norm and the first numbers: ``512 numbers, norm 21.43: 0.5123 -1.2034 0.0412 0.9123 ...``."""
        first = ' '.join(f'{value:.4f}' for value in self.embedding[:_SHOWN])
        more = ' ...' if len(self.embedding) > _SHOWN else ''
        return f'{len(self.embedding)} numbers, norm {self.norm:.2f}: {first}{more}'

    def row(self) -> List[Any]:
        """The norm, and the numbers in one cell, a list of JSON."""
        return [self.norm, f'[{", ".join(f"{value:.9g}" for value in self.embedding)}]']


class EmbeddingPredictor(Predictor):
    """Gives the first output of a network as it is."""

    columns = ('norm', 'embedding')

    def __call__(self, image: ImageReference, outputs: Sequence[np.ndarray]) -> EmbeddingPrediction:
        """The embedding."""
        embedding = outputs[0].ravel()
        return EmbeddingPrediction(image.file, image.number, embedding.tolist(), float(np.linalg.norm(embedding)))

    def unreadable(self, image: ImageReference, error: str) -> EmbeddingPrediction:
        """No embedding."""
        return EmbeddingPrediction(image.file, image.number, error=error)
