"""The images that the arguments and options of ``cbam predict`` and ``cbam explain`` name."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, partial
from itertools import chain
from typing import TYPE_CHECKING, Iterator, List, Optional, Tuple

import click

from gluon_cbam.cli.options import add_options, depth_option
from gluon_cbam.common.errors import UsageError

if TYPE_CHECKING:
    from gluon_cbam.data.decoding import Decode
    from gluon_cbam.data.sources.image_files import ImageFile
    from gluon_cbam.data.sources.images import ImageSource
    from gluon_cbam.data.sources.left_out import LeftOut

INPUTS = ('files_from', 'camera', 'every', 'limit', 'depth')
"""The parameters of :data:`input_options`."""
input_options = add_options(
    [
        click.option('--files-from', metavar='FILE', help='a file with an IMAGE in each line; - for standard input'),
        click.option('--camera', metavar='N', help='a camera: its number, device or URL; ends with Ctrl-C or --limit'),
        click.option(
            '--every', type=click.IntRange(1), default=1, show_default=True, help='use every Nth frame of a video'
        ),
        click.option('--limit', type=click.IntRange(1), help='maximum number of images'),
        depth_option,
    ]
)


@dataclass(frozen=True)
class ImageInputs:
    """The arguments and options that name images.

    Attributes:
        images: the arguments.
        files_from: ``--files-from``.
        camera: ``--camera``.
        every: ``--every``.
        limit: ``--limit``.
        depth: ``--depth``.
        label_index: ``--label-index``.
    """

    images: Tuple[str, ...]
    files_from: Optional[str]
    camera: Optional[str]
    every: int
    limit: Optional[int]
    depth: Optional[int] = None
    label_index: Optional[int] = None

    @property
    def where(self) -> str:
        """What names the images, for messages."""
        return ' '.join(self.images) or str(self.files_from)

    @property
    def given(self) -> bool:
        """Whether anything names images."""
        return bool(self.images) or self.files_from is not None or self.camera is not None

    @cached_property
    def left_out(self) -> LeftOut:
        """What the folders hold besides images, complete when the images are read; said when the command ends."""
        from gluon_cbam.data.sources.left_out import LeftOut

        counts = LeftOut()

        def say() -> None:
            for line in counts.as_lines():
                click.echo(f'cbam: {line}', err=True)

        click.get_current_context().call_on_close(say)
        return counts

    def check(self) -> None:
        """Raise UsageError if nothing names images, or too much does."""
        if not self.given:
            raise UsageError('no images: give files or folders, --files-from or --camera')
        if self.camera is not None and (self.images or self.files_from is not None):
            raise UsageError(f'--camera {self.camera} and images exclude each other: give one')

    def _decoder(self) -> Decode:
        """The decoder of the images; those that are almost black are named when the command ends."""
        from gluon_cbam.data.decoding import DarkImages, decode

        def warn() -> None:
            if dark.count:
                click.echo(f'cbam: {dark.text()}', err=True)

        dark = DarkImages()
        click.get_current_context().call_on_close(warn)
        return partial(decode, depth=self.depth, dark=dark)

    def sources(self) -> Iterator[ImageSource]:
        """The images, opened as the iterator reaches them.

        Raises:
            UsageError: see :meth:`check`, or an argument names nothing.
        """
        from gluon_cbam.data.sources.images import open_camera, open_images

        self.check()
        if self.camera is not None:
            return open_camera(self.camera, self.every, self.limit)
        return open_images(self.images, self.files_from, self.every, self.limit, self._decoder(), self.left_out)

    def files_and_sources(self, skip: str) -> Tuple[List[str], Iterator[ImageSource]]:
        """The paths of all files of images, known before the first is opened, and the images.

        An argument that does not exist is an image that cannot be read.

        Args:
            skip: the folder of the results, which is passed over in the folders that are named.

        Raises:
            UsageError: see :meth:`check`, a pattern matches nothing, or there are no images.
        """
        from gluon_cbam.data.sources.image_files import image_files
        from gluon_cbam.data.sources.images import open_camera, open_files

        self.check()
        files: List[ImageFile] = []
        if self.camera is None:
            files += image_files(self.images, self.files_from, missing=True, skip=skip, left_out=self.left_out)
        opened = open_files(files, self.every, self.limit, self._decoder(), self.label_index)
        sources = opened if self.camera is None else open_camera(self.camera, self.every, self.limit)
        first = next(sources, None)
        if first is None:
            raise UsageError(f'no images in {self.where}')
        return [file.path for file in files], chain([first], sources)
