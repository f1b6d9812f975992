"""Views of an image for test-time augmentation: its horizontal flip, and crops of its corners and its center."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Dict, NamedTuple, Protocol, Sequence, Tuple

from gluon_cbam.common.errors import UsageError, closest
from gluon_cbam.common.image_size import image_size_text

if TYPE_CHECKING:
    import numpy as np

    from gluon_cbam.common.image_size import ImageSize
    from gluon_cbam.data.resizing import Frame

_FIVE = ('top left', 'top right', 'bottom left', 'bottom right')
KINDS: Dict[str, Tuple[bool, Tuple[str, ...]]] = {'flip': (True, ()), 'five': (False, _FIVE), 'ten': (True, _FIVE)}
"""Name -> whether each view is also flipped, and the crops besides that of the center: as torchvision's FiveCrop and
TenCrop have them."""


class Cropping(Protocol):
    """What views take of a :class:`gluon_cbam.data.loading.preprocessing.Preprocessing`, whose attributes these are."""

    @property
    def image_size(self) -> ImageSize:
        """The size of a crop."""

    @property
    def shape(self) -> Tuple[int, int]:
        """Height and width of a crop, in pixels."""

    @property
    def covered(self) -> Tuple[int, int]:
        """Height and width that an image covers before the crop, in pixels."""

    @property
    def crop_ratio(self) -> float:
        """``image_size`` divided by what an image covers before the crop."""

    @property
    def resize(self) -> str:
        """How an image becomes one of the size of a crop."""

    def crop(self, pixels: np.ndarray) -> np.ndarray:
        """The center of the resized image."""

    def frame(self, height: int, width: int) -> Frame:
        """The place of a whole image around the center crop."""


class View(NamedTuple):
    """A view of an image.

    Attributes:
        crop: ``center`` or a corner, such as ``top left``.
        flip: whether it is mirrored, left and right exchanged.
    """

    crop: str = 'center'
    flip: bool = False

    def of(self, preprocessing: Cropping, pixels: np.ndarray) -> np.ndarray:
        """The view of an image.

        Args:
            preprocessing: the preprocessing; a corner is of the image that it crops the center of.
            pixels: (H, W, 3) uint8, RGB.

        Returns:
            (height, width, 3) uint8, as ``preprocessing.crop`` gives the center.
        """
        from gluon_cbam.data.resizing import Region, resize_and_crop

        if self.crop == 'center':
            seen = preprocessing.crop(pixels)
        else:
            height, width = preprocessing.shape
            left, top, right, bottom = map(int, preprocessing.frame(*pixels.shape[:2]))
            tall, wide = bottom - top, right - left
            row = 0 if self.crop.startswith('top') else tall - height
            column = 0 if self.crop.endswith('left') else wide - width
            seen = resize_and_crop(pixels, (tall, wide), Region(row, column, height, width))
        return seen[:, ::-1] if self.flip else seen


def views_of(kinds: Sequence[str]) -> Tuple[View, ...]:
    """The views that some kinds name together: ``flip`` and ``five`` are those of ``ten``.

    Args:
        kinds: keys of :data:`KINDS`; none for the center alone.

    Returns:
        The views, the center first.

    Raises:
        UsageError: an unknown kind.
    """
    unknown = next((kind for kind in kinds if kind not in KINDS), None)
    if unknown is not None:
        raise UsageError(f'unknown test-time augmentation {unknown!r}: {closest(unknown, KINDS)}')
    rows = [KINDS[kind] for kind in kinds]
    crops = dict.fromkeys(['center', *(crop for _, others in rows for crop in others)])
    flips = (False, True) if any(flip for flip, _ in rows) else (False,)
    return tuple(View(crop, flip) for flip, crop in product(flips, crops))


def check_views(views: Sequence[View], preprocessing: Cropping) -> None:
    """Check that the views of an image with the aspect ratio of the input differ.

    Raises:
        UsageError: there are corners, and the preprocessing leaves nothing to crop.
    """
    if all(view.crop == 'center' for view in views):
        return
    if preprocessing.resize != 'crop':
        raise UsageError(
            f'corners need an image that is cropped, and --resize {preprocessing.resize} shows all of it: leave five '
            'and ten out'
        )
    if all(before <= size for before, size in zip(preprocessing.covered, preprocessing.shape)):
        raise UsageError(
            f'corners need an image that is larger than the crop, and with --crop-ratio {preprocessing.crop_ratio:g} '
            f'both are {image_size_text(preprocessing.image_size)} pixels: give a smaller ratio, or leave five and ten '
            'out'
        )


def checked_views(kinds: Sequence[str], preprocessing: Cropping) -> Tuple[View, ...]:
    """The views that some kinds name together, checked; none for no kind, the image as it is.

    Raises:
        UsageError: see :func:`views_of` and :func:`check_views`.
    """
    views = views_of(kinds) if kinds else ()
    check_views(views, preprocessing)
    return views
