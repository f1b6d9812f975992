"""Names of the pictures of some images."""

from __future__ import annotations

from pathlib import Path
from typing import Iterable, Iterator, Set

from gluon_cbam.common.files import PathLike


class PictureNames:
    """Gives each image a path in a folder: its own name with ``.png``, numbered where that is taken.

    Taken are the pictures named before, and every input, so that none is written over.

    Args:
        folder: of the pictures.
        inputs: paths of all images.
    """

    def __init__(self, folder: PathLike, inputs: Iterable[str]):
        self._folder = Path(folder)
        self._taken: Set[Path] = {Path(path).resolve() for path in inputs}

    def __call__(self, file: str) -> Path:
        """The path of the picture of an image."""
        free = next(path for path in self._candidates(Path(file).stem) if path.resolve() not in self._taken)
        self._taken.add(free.resolve())
        return free

    def _candidates(self, stem: str) -> Iterator[Path]:
        yield self._folder / f'{stem}.png'
        number = 2
        while True:
            yield self._folder / f'{stem}_{number}.png'
            number += 1
