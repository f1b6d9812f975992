"""Identification of probes in a gallery, from images or from files of embeddings with labels."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any, Callable, Dict, Iterable, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from gluon_cbam.common.errors import DataError
from gluon_cbam.data.sources.images import ImageSource, image_file
from gluon_cbam.tasks.faces.metrics.embeddings import normalize
from gluon_cbam.tasks.faces.metrics.identification import (
    Gallery,
    IdentificationScores,
    ProbeResults,
    rank_probes,
    score_identification,
)

from .embedding_files import EmbeddingFile
from .encoder import Encoded, Encoder
from .image_paths import ImagePaths
from .templates import Templates


class Labelled(NamedTuple):
    """Embeddings of persons that are known by name.

    Attributes:
        names: the names of the images or templates.
        embeddings: (N, D) of norm 1.
        labels: (N,) text, the persons.
        images: the resolved paths of the images, of templates those that were pooled, which both sides must not share.
        pooled: whether the embeddings are those of templates.
    """

    names: Sequence[str]
    embeddings: np.ndarray
    labels: np.ndarray
    images: Sequence[str]
    pooled: bool = False

    def loader(self) -> Optional[Callable[[int], np.ndarray]]:
        """From the number of an embedding to the pixels of its image, (H, W, 3) uint8 RGB.

        None for templates, and where the first image is no file, for instance a record.
        """
        if self.pooled or not os.path.isfile(self.images[0]):
            return None
        return lambda number: image_file(self.images[number]).decode()


@dataclass(frozen=True, eq=False)
class Identified:
    """The probes, what was found for each, and the figures.

    Attributes:
        gallery: the persons of the gallery.
        known: the images of the gallery.
        probes: the probes.
        results: the results of the probes.
        scores: the figures.
    """

    gallery: np.ndarray
    known: Labelled
    probes: Labelled
    results: ProbeResults
    scores: IdentificationScores

    def as_dict(self) -> Dict[str, Any]:
        """The values for ``--json``."""
        return self.scores.as_dict()

    def mistakes(self, most: int) -> List[Dict[str, Any]]:
        """The probes of known persons that have not rank 1, the most similar wrong person first.

        Args:
            most: number of probes.
        """
        results = self.results
        wrong = np.flatnonzero((results.own >= 0) & (results.rank > 1))
        order = wrong[np.argsort(-results.score[wrong], kind='stable')][:most]
        return [
            {
                'image': self.probes.names[number], 'label': str(self.probes.labels[number]),
                'found': str(self.gallery[results.best[number]]), 'similarity': float(results.score[number]),
                'rank': int(results.rank[number]), 'own_similarity': float(results.own_score[number]),
            }
            for number in order.tolist()
        ]  # fmt: skip


def labelled_file(file: EmbeddingFile) -> Labelled:
    """The embeddings of a file whose images all have labels.

    Raises:
        DataError: an image has no label, or an embedding has norm zero.
    """
    names = [image.name for image in file.images]
    _require_labels(file.labels, names, str(file.path))
    return Labelled(names, file.normalized(), file.labels, file.resolved_names(range(len(file))))


def labelled_templates(templates: Templates, where: str) -> Labelled:
    """Templates with their subjects.

    Args:
        templates: the pooled templates.
        where: their list, for messages.

    Raises:
        DataError: the list has no subjects.
    """
    if templates.subjects is None:
        raise DataError(f'{where}: has no column subject, the persons')
    names = [f'template {name}' for name in templates.names]
    _require_labels(templates.subjects, names, where)
    return Labelled(names, templates.embeddings, templates.subjects, templates.images, pooled=True)


def labelled_images(
    encoder: Encoder,
    images: Iterable[ImageSource],
    where: str,
    progress: Callable[[Iterable[Encoded]], Iterable[Encoded]] = iter,
) -> Tuple[Labelled, List[Tuple[Any, ...]]]:
    """Embed images that all have labels.

    Args:
        encoder: the network.
        images: records, or files in a folder for each person.
        where: what the images are of, for messages.
        progress: shows the progress.

    Returns:
        The embeddings; and (name, height, width) of the images of another size than the network's input.

    Raises:
        DataError: an image cannot be read or has no label, or an embedding has norm zero.
    """
    names, labels, rows, paths, resized = [], [], [], [], []
    path_of = ImagePaths()
    for each in progress(encoder.encode(images)):
        if each.embedding is None:
            raise DataError(f'{each.image.name}: {each.error}')
        names.append(each.image.name)
        paths.append(path_of(each.image))
        labels.append(each.label)
        rows.append(each.embedding.astype(np.float32))
        resized += each.resized_from(encoder.session.preprocessing.image_size)
    if not rows:
        raise DataError(f'no images in {where}')
    _require_labels(np.array(labels), names, where)
    embeddings = normalize(np.stack(rows), lambda number: names[number])
    return Labelled(names, embeddings, np.array(labels), paths), resized


def _require_labels(labels: np.ndarray, names: Sequence[str], where: str) -> None:
    empty = np.flatnonzero(labels == '')
    if empty.size:
        raise DataError(f'{where}: nothing says whom {names[empty[0]]} shows: put it into a folder of the person')


def identify(gallery: Labelled, probes: Labelled) -> Identified:
    """Identify probes in a gallery; persons that the gallery does not have are unknown to it ("open set").

    Args:
        gallery: the known persons.
        probes: the images to identify.

    Returns:
        The results.

    Raises:
        DataError: the embeddings have different sizes, an image is in both, or no probe shows a person of the gallery.

    Example:
        >>> found = identify(labelled_file(read_embeddings('a.npz')), labelled_file(read_embeddings('b.npz')))
        >>> found.scores.rank1, found.scores.dir_at
        (0.982, {})
    """
    sizes = gallery.embeddings.shape[1], probes.embeddings.shape[1]
    if sizes[0] != sizes[1]:
        raise DataError(f'the gallery has embeddings of {sizes[0]} numbers, the probes of {sizes[1]}')
    both = set(gallery.images) & set(probes.images)
    if both:
        raise DataError(f'{min(both)} is in the gallery and among the probes, where it would find itself: remove it')
    people = Gallery(gallery.embeddings, gallery.labels)
    results = rank_probes(people, probes.embeddings, probes.labels)
    return Identified(people.identities, gallery, probes, results, score_identification(people, results))
