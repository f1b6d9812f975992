"""Templates as in IJB-B and IJB-C: persons shown by several images and videos, pooled to one embedding each.

A list of templates is a CSV file with the columns ``template``, ``media`` and ``image``, and optionally ``subject``,
the person, and ``score``, the detector's. A row is an image, or a frame of a video: the frames of a video have one
medium.

Source: ``image2template_feature`` of insightface's ``recognition/_evaluation_/ijb``.
"""

from __future__ import annotations

import csv
import io
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, List, Optional, Sequence, Tuple

import numpy as np

from gluon_cbam.common.documents import read_text
from gluon_cbam.common.errors import DataError
from gluon_cbam.common.files import PathLike
from gluon_cbam.common.quoting import shown
from gluon_cbam.tasks.faces.metrics.embeddings import normalize

from .embedding_files import EmbeddingFile
from .names import find_images

WEIGHTS = ('score-norm', 'score', 'norm', 'none')
"""The weights of images: detector's score, norm of the embedding, their product, or none."""
_REQUIRED, _OPTIONAL = ('template', 'media', 'image'), ('subject', 'score')
_MOST = 1 << 30  # bytes of a list
_BLOCK = 1 << 14  # images that are pooled at once


@dataclass(frozen=True, eq=False)
class TemplateList:
    """The rows of a list of templates.

    Attributes:
        path: the list.
        templates: (N,) text.
        media: (N,) text.
        images: the names of the images.
        subjects: (N,) text; None without that column.
        scores: (N,) float64; ones without that column.
    """

    path: Path
    templates: np.ndarray
    media: np.ndarray
    images: List[str]
    subjects: Optional[np.ndarray]
    scores: np.ndarray


@dataclass(frozen=True, eq=False)
class Templates:
    """Pooled templates.

    Attributes:
        names: (T,) text, sorted.
        embeddings: (T, D) float64 of norm 1.
        subjects: (T,) text; None where the list has none.
        images: the names of the images that were pooled, see :meth:`.embedding_files.EmbeddingFile.resolved_names`.
    """

    names: np.ndarray
    embeddings: np.ndarray
    subjects: Optional[np.ndarray]
    images: Sequence[str]

    def find(self, names: Sequence[str], where: str) -> np.ndarray:
        """(N,) int64, the numbers of templates.

        Raises:
            DataError: there is no such template.
        """
        place = np.minimum(np.searchsorted(self.names, names), len(self.names) - 1)
        missing = np.flatnonzero(self.names[place] != names)
        if missing.size:
            raise DataError(f'{where} names the template {shown(str(names[missing[0]]))}, which the list does not have')
        return place


def read_templates(path: PathLike) -> TemplateList:
    """Read a list of templates.

    Args:
        path: the CSV file.

    Raises:
        DataError: a column is missing, a score is not a number that is at least 0, or there is no row.
    """
    rows = read_columns(path, _REQUIRED, _OPTIONAL)
    try:
        scores = [float(text) for text in rows['score']] if 'score' in rows else [1.0] * len(rows['image'])
        if not all(math.isfinite(score) and score >= 0 for score in scores):
            raise ValueError('a score is not finite, or less than 0')
    except ValueError as error:
        raise DataError(f'{path}: {error}') from None
    subjects = np.array(rows['subject']) if 'subject' in rows else None
    return TemplateList(
        Path(path), np.array(rows['template']), np.array(rows['media']), rows['image'], subjects, np.array(scores)
    )


def read_columns(path: PathLike, required: Sequence[str], optional: Sequence[str] = ()) -> Dict[str, List[str]]:
    """Read columns of a CSV file by their names in its first line.

    Args:
        path: the file.
        required: names of columns that it must have.
        optional: names of columns that it may have.

    Returns:
        Name -> cells.

    Raises:
        DataError: a column is missing or there twice, a row has another number of cells, or there is no row.
    """
    try:
        rows = iter(list(csv.reader(io.StringIO(read_text(path, _MOST)))))
    except csv.Error as error:
        raise DataError(f'{path}: no CSV ({error})') from None
    header = [name.strip().lower() for name in next(rows, [])]
    missing = [name for name in required if name not in header]
    if missing:
        raise DataError(f'{path}: its first line {shown(",".join(header))} has no column {missing[0]}')
    for name in (*required, *optional):
        if header.count(name) > 1:
            raise DataError(f'{path}: its first line has the column {name} {header.count(name)} times: keep one')
    columns = {name: header.index(name) for name in (*required, *optional) if name in header}
    found: Dict[str, List[str]] = {name: [] for name in columns}
    for line, row in enumerate(rows, 2):
        if len(row) != len(header):
            if not row:
                continue
            raise DataError(f'{path}: line {line} has {len(row)} cells instead of {len(header)}')
        for name, place in columns.items():
            found[name].append(row[place].strip())
    if not found[required[0]]:
        raise DataError(f'{path}: has no rows')
    return found


def pool_templates(file: EmbeddingFile, listed: TemplateList, weights: str = 'score-norm') -> Templates:
    """Pool the embeddings of each template: images are weighted, the frames of a medium averaged, media summed.

    Args:
        file: the embeddings of the images, normalized or not.
        listed: the rows of the templates.
        weights: the weight of an image, one of :data:`WEIGHTS`.

    Returns:
        The templates.

    Raises:
        DataError: an image is not in the file, the norms are needed and not known, a template has several subjects, or
            the sum of a template has norm zero.
    """
    rows = find_images(file, listed.images, str(listed.path))
    scale = _scale(file, rows, listed.scores, weights)
    names, template = np.unique(listed.templates, return_inverse=True)
    medium = np.unique(listed.media, return_inverse=True)[1]
    order = np.lexsort((medium, template))
    changes = (np.diff(template[order]) != 0) | (np.diff(medium[order]) != 0)
    starts = np.append(0, np.flatnonzero(changes) + 1)  # of each medium of a template
    frames = np.diff(np.append(starts, len(order)))
    sums = np.zeros((len(names), file.embeddings.shape[1]))
    for first, last in _blocks(starts, len(order)):
        images = order[starts[first] : starts[last] if last < len(starts) else None]
        units = normalize(file.embeddings[rows[images]], lambda number, i=images: file.name(rows[i[number]]))  # type: ignore[misc]
        means = (
            np.add.reduceat(units * scale[images, None], starts[first:last] - starts[first]) / frames[first:last, None]
        )
        np.add.at(sums, template[order[starts[first:last]]], means)
    embeddings = normalize(sums, lambda number: f'template {names[number]}')
    pooled = file.resolved_names(rows.tolist())
    return Templates(names, embeddings, _subjects(listed, names, template), pooled)


def _blocks(starts: np.ndarray, total: int) -> List[Tuple[int, int]]:
    """Ranges of media that have about :data:`_BLOCK` images each."""
    edges = [0]
    while edges[-1] < len(starts):
        end = int(np.searchsorted(starts, starts[edges[-1]] + _BLOCK))
        edges.append(max(edges[-1] + 1, end))
    return list(zip(edges, edges[1:]))


def _scale(file: EmbeddingFile, rows: np.ndarray, scores: np.ndarray, weights: str) -> np.ndarray:
    """The weight of each image."""
    scale = scores if 'score' in weights else np.ones(len(rows))
    if 'norm' not in weights:
        return scale
    if file.norms is None:
        raise DataError(f'{file.path} has no norms, which --weights {weights} needs: embed the images again')
    return scale * file.norms[rows]


def _subjects(listed: TemplateList, names: np.ndarray, template: np.ndarray) -> Optional[np.ndarray]:
    """The subject of each template."""
    if listed.subjects is None:
        return None
    found = np.zeros(len(names), listed.subjects.dtype)
    found[template] = listed.subjects
    wrong = np.flatnonzero(found[template] != listed.subjects)
    if wrong.size:
        name = listed.templates[wrong[0]]
        raise DataError(f'{listed.path}: the template {shown(str(name))} has several subjects')
    return found


def read_template_pairs(path: PathLike, templates: Templates) -> Tuple[np.ndarray, np.ndarray]:
    """Read a list of pairs of templates: a CSV file with the columns ``a``, ``b`` and optionally ``same``, 0 or 1.

    Args:
        path: the CSV file; without ``same``, pairs are compared by the subjects of the templates.
        templates: the templates.

    Returns:
        (P, 2) int64 numbers of templates, and (P,) bool.

    Raises:
        DataError: it names a template that does not exist, or nothing says which pairs are of one person.
    """
    rows = read_columns(path, ('a', 'b'), ('same',))
    pairs = np.stack([templates.find(np.array(rows[name]), str(path)) for name in 'ab'], axis=1)  # type: ignore[arg-type]
    if 'same' in rows:
        if not set(rows['same']) <= {'0', '1'}:
            wrong = next(cell for cell in rows['same'] if cell not in ('0', '1'))
            raise DataError(f'{path}: same is 0 or 1, not {shown(wrong)}')
        return pairs, np.array([cell == '1' for cell in rows['same']])
    if templates.subjects is None:
        raise DataError(f'{path} has no column same, and the templates have no subjects')
    return pairs, templates.subjects[pairs[:, 0]] == templates.subjects[pairs[:, 1]]
