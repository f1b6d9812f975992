"""Occlusion and RISE: maps from the outputs for images of which parts are hidden.

They only run a network, so that they work with exported files too. Occlusion is from Zeiler and Fergus, ECCV 2014
(arXiv 1311.2901, section 4.2), RISE from Petsiuk et al., BMVC 2018 (arXiv 1806.07421, section 3).
"""

from __future__ import annotations

from itertools import islice
from typing import Callable, Dict, Iterator, NamedTuple, Sequence, Tuple

import numpy as np

from gluon_cbam.common.errors import UsageError, closest

from .class_maps import ClassMaps, Targets, checked_targets, scaled_to_peak

Predict = Callable[[np.ndarray], np.ndarray]
"""Function from images, (N, S, S, 3) uint8 RGB, to logits, (N, classes)."""
LAYER = 'input'
"""The layer of these maps, which are of the pixels."""
SAMPLES = 1000
"""The default number of masks of RISE; its authors take 4000 to 8000."""
GRAY = (127.5, 127.5, 127.5)
"""The default color of what is hidden."""
_WINDOWS = 5  # windows of occlusion side by side in an image
_STEPS = 3  # positions of a window in its own length
_CELLS = 7  # of a mask of RISE in each direction, as its authors take
_SHOWN = 0.5  # probability that a cell of a mask shows the image, likewise


def _window_masks(shape: Tuple[int, int], samples: int) -> Iterator[np.ndarray]:
    """Hide a window of the aspect ratio of the image, which slides over the image and its borders."""
    tall, wide = (-(-length // _WINDOWS) for length in shape)
    down, across = max(1, tall // _STEPS), max(1, wide // _STEPS)
    for top in range(down - tall, shape[0], down):
        for left in range(across - wide, shape[1], across):
            mask = np.ones(shape, np.float32)
            mask[max(top, 0) : top + tall, max(left, 0) : left + wide] = 0
            yield mask


def _random_masks(shape: Tuple[int, int], samples: int) -> Iterator[np.ndarray]:
    """Random cells, enlarged bilinearly and shifted by a part of a cell; the same for every image."""
    import cv2

    (height, width), random = shape, np.random.RandomState(0)
    tall, wide = (-(-length // _CELLS) for length in shape)
    whole = (_CELLS + 1) * wide, (_CELLS + 1) * tall
    for _ in range(samples):
        cells = (random.uniform(size=(_CELLS + 1, _CELLS + 1)) < _SHOWN).astype(np.float32)
        top, left = random.randint(0, tall), random.randint(0, wide)
        yield cv2.resize(cells, whole, interpolation=cv2.INTER_LINEAR)[top : top + height, left : left + width]


class Perturbation(NamedTuple):
    """A method.

    Attributes:
        masks: yields masks for height and width of the image and a number of samples, (H, W) float32: 1 where the image
            is shown, 0 where it is hidden.
        by_loss: whether a pixel counts by what hiding it takes from the probability of the class; else by that
            probability where it is shown.
    """

    masks: Callable[[Tuple[int, int], int], Iterator[np.ndarray]]
    by_loss: bool


PERTURBATIONS: Dict[str, Perturbation] = {
    'occlusion': Perturbation(_window_masks, True),
    'rise': Perturbation(_random_masks, False),
}
"""Name of the method -> its masks, and how they count."""


class PerturbedImage:
    """An image, and the probabilities of the classes when parts of it are hidden.

    Args:
        predict: runs the network.
        pixels: (H, W, 3) uint8 RGB, the network's input before normalization.
        method: a key of :data:`PERTURBATIONS`.
        samples: number of masks of RISE; occlusion has about 300 positions.
        batch_size: images that the network takes at once.
        fill: color of what is hidden, R, G, B in 0..255.

    Attributes:
        logits: (classes,), of the whole image.
    """

    def __init__(
        self, predict: Predict, pixels: np.ndarray, method: str, samples: int, batch_size: int, fill: Sequence[float]
    ) -> None:
        self._method, self._samples, self._batch = PERTURBATIONS[method], samples, batch_size
        self._shape: Tuple[int, int] = (pixels.shape[0], pixels.shape[1])
        self.logits = predict(pixels[None])[0]
        color = np.asarray(fill, np.float32)
        seen = (color + masks[..., None] * (pixels - color) for masks in self._masks())
        self._probabilities = np.concatenate([_softmax(predict(np.rint(each).astype(np.uint8))) for each in seen])

    def _masks(self) -> Iterator[np.ndarray]:
        masks = self._method.masks(self._shape, self._samples)
        while True:
            batch = list(islice(masks, self._batch))
            if not batch:
                return
            yield np.stack(batch)

    def heat(self, index: int) -> np.ndarray:
        """How much each pixel speaks for a class.

        Args:
            index: the class.

        Returns:
            (H, W) float64, a mean of probabilities or of their differences.
        """
        whole, done = _softmax(self.logits[None])[0, index], 0
        total, weight = np.zeros((2, *self._shape))
        for masks in self._masks():
            found = self._probabilities[done : done + len(masks), index]
            values, weights = (whole - found, 1 - masks) if self._method.by_loss else (found, masks)
            total += np.tensordot(values, weights, 1)
            weight += weights.sum(axis=0, dtype=np.float64)
            done += len(masks)
        heat = np.divide(total, weight, out=np.zeros_like(total), where=weight > 0)
        return heat if self._method.by_loss else heat - heat.min()  # every pixel is shown at some time


def class_maps_of(images: Sequence[PerturbedImage], targets: Targets) -> ClassMaps:
    """The maps of some images.

    Args:
        images: at least one, of one network.
        targets: the classes.

    Raises:
        UsageError: a target is no class.
    """
    logits = np.stack([image.logits for image in images])
    classes = checked_targets(targets, logits)
    heat = np.stack([image.heat(int(index)) for image, index in zip(images, classes)])
    return ClassMaps(scaled_to_peak(heat), classes, LAYER, logits)


def perturbation_maps(
    predict: Predict,
    images: np.ndarray,
    targets: Targets = None,
    method: str = 'occlusion',
    samples: int = SAMPLES,
    batch_size: int = 32,
    fill: Sequence[float] = GRAY,
) -> ClassMaps:
    """Compute Occlusion or RISE of a batch, from the outputs of any network.

    Occlusion: the mean loss of the class's probability over the windows that hide a pixel. RISE: the mean probability
    of the class over the random masks, weighted by how much they show of a pixel, above its least.

    Args:
        predict: runs the network, for instance :meth:`gluon_cbam.inference.session.Session.logits`.
        images: (N, H, W, 3) uint8 RGB, the network's input before normalization.
        targets: the class, one for all images or one for each; default the predicted class.
        method: a key of :data:`PERTURBATIONS`; default ``occlusion``.
        samples: number of masks of RISE, default 1000; occlusion has about 300 positions.
        batch_size: images that the network takes at once; default 32.
        fill: color of what is hidden, R, G, B in 0..255; default gray. Take the mean of the preprocessing.

    Returns:
        The maps, (N, H, W), with the classes and the logits.

    Raises:
        UsageError: an unknown method or class.

    Example:
        >>> session = exported_session(gluon_cbam.export.load_exported('r50.onnx'))
        >>> seen = session.preprocessing.crop(image)
        >>> gluon_cbam.explain.perturbation_maps(session.logits, seen[None]).maps.shape
        (1, 224, 224)
    """
    if method not in PERTURBATIONS:
        raise UsageError(f'unknown method {method!r}: {closest(method, PERTURBATIONS)}')
    hidden = [PerturbedImage(predict, pixels, method, samples, batch_size, fill) for pixels in images]
    return class_maps_of(hidden, targets)


def _softmax(logits: np.ndarray) -> np.ndarray:
    """The probabilities of the classes, (N, classes) float64."""
    powers = np.exp(logits.astype(np.float64) - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)
