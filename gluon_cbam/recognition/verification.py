"""Verification of the pairs of a set, by a network or from a file of embeddings."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Callable, Dict, Iterable, Optional, Tuple

import numpy as np

from gluon_cbam.common.errors import DataError
from gluon_cbam.common.files import PathLike
from gluon_cbam.data.faces.pair_lists import read_pairs
from gluon_cbam.data.faces.verification_sets import VerificationSet
from gluon_cbam.data.sources.images import ImageSource, image_file
from gluon_cbam.tasks.faces.metrics.embeddings import cosine_of_distance, normalize, pair_distances
from gluon_cbam.tasks.faces.metrics.verification import VerificationScores, verify

from .embedding_files import EmbeddingFile
from .encoder import Encoded, Encoder
from .names import find_images
from .templates import Templates, read_template_pairs

DISTANCES = ('euclidean', 'cosine')
"""The units of thresholds: squared Euclidean distances, or cosine similarities."""


@dataclass(frozen=True, eq=False)
class VerifiedPairs:
    """The pairs of a set with their distances and figures.

    Attributes:
        name: the name of the set.
        path: its file.
        pairs: (P, 2) int64, the numbers of the images.
        same: (P,) bool, whether they show one person.
        distances: (P,) float64, squared Euclidean distances of embeddings of norm 1.
        images: images that were embedded, each once.
        image_name: from the number of an image to its name.
        load: from the number of an image to its pixels, (H, W, 3) uint8 RGB; None where there are no images.
        scores: the figures.
        mean_norm: mean norm of the embeddings before normalization ("XNorm"); None where it is not known.
        resized: images of another size than the network's input.
        first_resized: the first of them: its name, height and width.
        seconds: time of the verification.
    """

    name: str
    path: Path
    pairs: np.ndarray
    same: np.ndarray
    distances: np.ndarray
    images: int
    image_name: Callable[[int], str]
    load: Optional[Callable[[int], np.ndarray]]
    scores: VerificationScores
    mean_norm: Optional[float]
    resized: int = 0
    first_resized: Optional[Tuple[Any, ...]] = None
    seconds: float = 0.0

    @property
    def similarities(self) -> np.ndarray:
        """(P,) cosine similarities."""
        return cosine_of_distance(self.distances)

    @property
    def threshold(self) -> float:
        """The squared distance below which pairs count as one person: the mean of the folds' thresholds."""
        return float(np.mean(self.scores.thresholds))

    def as_dict(self, distance: str = 'euclidean') -> Dict[str, Any]:
        """The figures by name, as ``--json`` has them.

        Args:
            distance: the unit of thresholds, one of :data:`DISTANCES`.
        """
        values = {'name': self.name, 'path': str(self.path), 'images': self.images, **self.scores.as_dict()}
        if distance == 'cosine':
            values['thresholds'] = cosine_of_distance(np.array(self.scores.thresholds)).tolist()
            for point in values['tar_at'].values():
                limit = point['threshold']
                point['threshold'] = None if limit is None else float(cosine_of_distance(np.array(limit)))
        return {**values, 'mean_norm': self.mean_norm, 'resized': self.resized, 'seconds': self.seconds}


Progress = Callable[[Iterable[Encoded], int], Iterable[Encoded]]
"""Shows the progress of an iteration over a number of images."""


def verify_set(
    encoder: Encoder, data: VerificationSet, progress: Progress = lambda encoded, count: encoded
) -> VerifiedPairs:
    """Verify the pairs of a set; every image is embedded once.

    Args:
        encoder: the network.
        data: the set, see :func:`gluon_cbam.data.faces.verification_sets.open_verification_set`.
        progress: shows the progress.

    Returns:
        The distances and figures.

    Raises:
        DataError: an image cannot be read, or its embedding is not finite or has norm zero.

    Example:
        >>> verify_set(encoder, open_verification_set('lfw.bin')).scores.accuracy
        0.9982
    """
    start = time.monotonic()
    numbers = range(len(data))
    sources = (ImageSource(data.picture_name(number), None, partial(data.load, number)) for number in numbers)
    embeddings: Optional[np.ndarray] = None
    norms, resized = 0.0, []
    for number, each in enumerate(progress(encoder.encode(sources), len(data))):
        if each.embedding is None:
            raise DataError(f'{data.picture_name(number)}: {each.error}')
        if embeddings is None:
            embeddings = np.empty((len(data), len(each.embedding)))
        embeddings[number] = each.embedding
        norms += each.norm
        resized += each.resized_from(encoder.session.preprocessing.image_size)
    assert embeddings is not None, 'a set has images'
    distances = pair_distances(normalize(embeddings, data.picture_name), data.pairs)
    scores = verify(distances, data.same, data.folds)
    return VerifiedPairs(
        data.name, data.path, data.pairs, data.same, distances, len(data), data.picture_name, data.load, scores,
        norms / len(data), len(resized), resized[0] if resized else None, time.monotonic() - start,
    )  # fmt: skip


def verify_file(file: EmbeddingFile, pairs: PathLike) -> VerifiedPairs:
    """Verify pairs of the images of a file of embeddings.

    Args:
        file: the embeddings.
        pairs: a list of pairs, see :mod:`gluon_cbam.data.faces.pair_lists`; images are named by the ends of their
            paths.

    Returns:
        The distances and figures; the images are loaded from their paths where they are files.

    Raises:
        DataError: the list names an image that the file does not have, or an embedding has norm zero.
    """
    start = time.monotonic()
    listed = read_pairs(Path(pairs))
    numbers = find_images(file, listed.names, str(pairs))
    embeddings = normalize(file.embeddings[numbers], lambda number: file.name(numbers[number]))
    distances = pair_distances(embeddings, listed.pairs)
    return VerifiedPairs(
        Path(pairs).stem, Path(pairs), listed.pairs, listed.same, distances, len(numbers),
        lambda number: file.images[numbers[number]].name, _loader(file, numbers),
        verify(distances, listed.same, listed.folds),
        None if file.norms is None else float(file.norms[numbers].mean()), seconds=time.monotonic() - start,
    )  # fmt: skip


def _loader(file: EmbeddingFile, numbers: np.ndarray) -> Optional[Callable[[int], np.ndarray]]:
    """Reads the images of a file of embeddings where they are files that still exist; None if the first does not."""
    first = file.images[numbers[0]]
    folder = next((each for each in (file.folder, Path()) if (each / first.file).is_file()), None)
    if first.number is not None or folder is None:
        return None
    found = folder
    return lambda number: image_file(str(found / file.images[numbers[number]].file)).decode()


def verify_templates(templates: Templates, pairs: PathLike) -> VerifiedPairs:
    """Verify pairs of templates, as IJB's 1:1 protocol does.

    Args:
        templates: see :func:`.templates.pool_templates`.
        pairs: a list of pairs of templates, see :func:`.templates.read_template_pairs`.

    Returns:
        The distances and figures.

    Raises:
        DataError: the list names a template that does not exist.
    """
    begin = time.monotonic()
    numbers, same = read_template_pairs(pairs, templates)
    distances = pair_distances(templates.embeddings, numbers)
    path, names = Path(pairs), templates.names
    return VerifiedPairs(
        path.stem, path, numbers, same, distances, len(names), lambda number: f'template {names[number]}', None,
        verify(distances, same), None, seconds=time.monotonic() - begin,
    )  # fmt: skip
