"""Names of images by their resolved paths, to tell whether two lists have an image in common."""

from __future__ import annotations

import os
from typing import Dict

from gluon_cbam.common.files import PathLike
from gluon_cbam.tasks.prediction import ImageReference


class ImagePaths:
    """Gives an image one name, however it is reached: absolute, without symbolic links.

    Args:
        folder: the folder that relative paths are in; default the working directory.
    """

    def __init__(self, folder: PathLike = '') -> None:
        self._base = os.path.abspath(folder)
        self._folders: Dict[str, str] = {}

    def __call__(self, image: ImageReference) -> str:
        """The name of an image: its path, and the number of the record or frame."""
        folder, name = os.path.split(os.path.join(self._base, image.file))
        if folder not in self._folders:  # looking at each part of each path would take minutes for a million images
            self._folders[folder] = os.path.realpath(folder)
        path = os.path.join(self._folders[folder], name)
        return image._replace(file=os.path.realpath(path) if os.path.islink(path) else path).name
