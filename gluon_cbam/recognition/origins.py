"""Whether embeddings can be compared: they must be of one network, one preprocessing and one flip test."""

from __future__ import annotations

from typing import Any, Mapping

from gluon_cbam.common.errors import DataError
from gluon_cbam.common.quoting import shown

from .embedding_files import EmbeddingFile

_COMPARED = ('params_sha256', 'network', 'preprocessing', 'flip')


def check_origins(file: EmbeddingFile, other: Mapping[str, Any], where: str, ignore: bool = False) -> None:
    """Compare what made the embeddings of a file with what made others.

    Args:
        file: the file.
        other: the other origin, see :attr:`.encoder.Encoder.origin` and :attr:`.embedding_files.EmbeddingFile.about`.
        where: what the others are of, for messages.
        ignore: compare nothing.

    Raises:
        DataError: they differ, or one is not known.
    """
    if ignore:
        return
    for name in _COMPARED:
        mine, theirs = file.about.get(name), other.get(name)
        if mine is None or theirs is None:
            unknown = file.path if mine is None else where
            raise DataError(
                f'the {name} of {unknown} is not known, so that embeddings may be of different networks: '
                '--ignore-weights compares them all the same'
            )
        if mine != theirs:
            raise DataError(
                f'{file.path} has embeddings of {name} {shown(mine)}, {where} of {shown(theirs)}: embed the images '
                'again, or --ignore-weights compares them all the same'
            )


def check_dimensions(file: EmbeddingFile, dimension: int, where: str) -> None:
    """Compare the sizes of embeddings.

    Raises:
        DataError: they differ.
    """
    if file.embeddings.shape[1] != dimension:
        raise DataError(f'{file.path} has embeddings of {file.embeddings.shape[1]} numbers, {where} of {dimension}')
