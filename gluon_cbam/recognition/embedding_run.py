"""Embedding of image sets of any size into a file, continued where a run was stopped or killed.

The results are kept part by part in a folder beside the output, ``OUTPUT.parts``, until the output is written. A run
that continues compares network, weights, preprocessing and batches with those of the parts, and the images by their
paths, sizes and times of change. Parts begin at multiples of the batch, and batches are always of one size, so that a
continued run gives the same bytes as one that was never stopped.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Callable, Iterable, Iterator, List, Optional, Tuple

import numpy as np

from gluon_cbam.common.errors import Interrupted
from gluon_cbam.common.files import PathLike, refuse_existing, remove_temporaries
from gluon_cbam.common.image_size import ImageSize
from gluon_cbam.common.signals import StopSignals
from gluon_cbam.data.sources.images import ImageSource
from gluon_cbam.tasks.faces.metrics.embeddings import norms

from .embedding_files import FOLDER
from .embedding_formats import written_files
from .embedding_parts import ImageDigest, PartFolder, PartSummary
from .embedding_writing import EmbeddingRows, write_embeddings
from .encoder import Encoded, Encoder

PART_IMAGES = 4096
"""Images of a part: the most that is lost when a run is killed. A signal that asks to stop loses a batch at most."""
_VERSION = 1

Progress = Callable[[Iterable[Encoded]], Iterable[Encoded]]
"""Shows the progress of an iteration."""


@dataclass(frozen=True)
class WrittenEmbeddings:
    """What :func:`embed_images` wrote.

    Attributes:
        files: the files, the one with the embeddings first.
        summary: what is known of the images.
        continued: images that an earlier run had done.
    """

    files: List[Path]
    summary: PartSummary
    continued: int


def embed_images(
    encoder: Encoder,
    images: Iterable[ImageSource],
    path: PathLike,
    normalized: bool = True,
    overwrite: bool = False,
    progress: Progress = iter,
    part_images: int = PART_IMAGES,
) -> WrittenEmbeddings:
    """Embed images into a file. Where an earlier run of the same images was stopped, continue it.

    Memory holds one part, however many images there are. SIGINT and SIGTERM stop the run after the batch that it is in.

    Args:
        encoder: the network.
        images: the images, read as they are needed; a run that continues needs the same, in the same order.
        path: the file, ``.npy``, ``.npz`` or ``.csv``, see :mod:`.embedding_formats`; its folder is created.
        normalized: whether the embeddings are divided by their norms, which are written in both cases.
        overwrite: whether the file may exist, and parts of another run are removed.
        progress: shows the progress.
        part_images: images of a part, rounded up to whole batches.

    Returns:
        What was written.

    Raises:
        UsageError: the file exists, or the parts are of another network, of other images or batches.
        DataError: an embedding is not finite or has norm zero, or no image could be read.
        Interrupted: a signal stopped the run; the same call continues it.

    Example:
        >>> written = embed_images(encoder, open_images(['faces/']), 'faces.npz')
        >>> written.summary.readable, written.summary.dimension
        (13233, 512)
    """
    path = Path(path)
    refuse_existing(written_files(path), overwrite)
    path.parent.mkdir(parents=True, exist_ok=True)
    for file in written_files(path):
        remove_temporaries(path.parent, file.name)  # of a run that was killed while it wrote them
    about = {'version': _VERSION, **encoder.origin, 'normalized': normalized}
    batch = encoder.batch_size * encoder.session.devices
    key = {**about, 'batch_size': batch, 'exported_sha256': encoder.exported_sha256}
    parts = PartFolder(path.with_name(f'{path.name}.parts'), key, overwrite)
    sources = iter(images)
    continued = parts.skip_done(sources)
    size = -(-part_images // batch) * batch
    with StopSignals() as signals:
        while signals.received is None:
            digest, encoded = _encode(encoder, sources, size, batch, signals, progress)
            if not encoded:
                break
            parts.add(*_rows(encoded, encoder.session.preprocessing.image_size, normalized), digest.text())
    if signals.received is not None:
        raise Interrupted(
            f'stopped after {parts.summary.images} images: the same command continues from there', signals.received
        )
    files = write_embeddings(path, parts.table({**about, FOLDER: os.getcwd()}))
    parts.remove()
    return WrittenEmbeddings(files, parts.summary, continued)


def _encode(
    encoder: Encoder, sources: Iterator[ImageSource], size: int, batch: int, signals: StopSignals, progress: Progress
) -> Tuple[ImageDigest, List[Encoded]]:
    """Encode the next ``size`` images, or fewer whole batches where a signal asks to stop; with the hash of these."""
    taken: List[Tuple[str, Optional[int]]] = []

    def noted() -> Iterator[ImageSource]:
        for image in islice(sources, size):
            taken.append((image.file, image.number))
            yield image

    encoded: List[Encoded] = []
    for each in progress(encoder.encode(noted())):
        encoded.append(each)
        if signals.received is not None and len(encoded) % batch == 0:
            break
    digest = ImageDigest()
    for file, number in taken[: len(encoded)]:
        digest.add(file, number)
    return digest, encoded


def _rows(encoded: List[Encoded], image_size: ImageSize, normalized: bool) -> Tuple[EmbeddingRows, PartSummary]:
    """The embeddings of a part in single precision, and what is known of its images."""
    read = [each for each in encoded if each.error is None]
    embeddings = np.stack([np.asarray(each.embedding) for each in read]) if read else np.empty((0, 0))
    lengths = norms(embeddings, lambda number: read[number].image.name) if read else np.empty(0)
    other = [other for each in read for other in each.resized_from(image_size)]
    summary = PartSummary(
        images=len(encoded),
        readable=len(read),
        dimension=embeddings.shape[1],
        norms=float(lengths.sum()),
        errors=[(each.image.name, each.error) for each in encoded if each.error is not None],
        resized=len(other),
        first_resized=other[0] if other else None,
    )
    values = embeddings / lengths[:, None] if normalized else embeddings
    images = [(each.image.file, each.image.number, each.label) for each in read]
    return EmbeddingRows(values.astype(np.float32), lengths.astype(np.float32), images), summary
