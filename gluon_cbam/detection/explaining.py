"""Explanation of detections: for each of the surest boxes of an image, which parts of the image speak for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Iterable, Iterator, List, Optional, Sequence, Union

import numpy as np

from gluon_cbam.common.errors import DataError
from gluon_cbam.data.sources.images import ImageSource
from gluon_cbam.explain.images.classes import output_names
from gluon_cbam.explain.images.explanation import ClassActivation, Explanation, UnreadableImage
from gluon_cbam.explain.images.pipeline import gates_of
from gluon_cbam.explain.maps.stages import select_stages
from gluon_cbam.tasks.detection.detections import Detections

from .drawing import detection_boxes, draw_boxes

if TYPE_CHECKING:
    from gluon_cbam.explain.images.network_explainer import NetworkExplainer
    from gluon_cbam.explain.maps.box_cam import BoxMap

BOXES = 3
"""The default of the number of boxes that are explained."""


def explain_boxes(
    explainer: NetworkExplainer,
    images: Iterable[ImageSource],
    most: int = BOXES,
    label: Optional[int] = None,
    stages: Optional[Sequence[str]] = None,
) -> Iterator[Union[Explanation, UnreadableImage]]:
    """Explain the surest boxes of images, one image at a time.

    Args:
        explainer: of a detector, by Grad-CAM.
        images: the images.
        most: the largest number of boxes of an image.
        label: index of a class, whose boxes alone are explained; default all.
        stages: attention modules, see :func:`gluon_cbam.explain.maps.stages.select_stages`; () for none.

    Yields:
        An entry for each image: the boxes are drawn on its pixels with their numbers, and each has a map.

    Raises:
        UsageError: an unknown stage or layer.
    """
    preprocessing, names = explainer.explained.preprocessing, output_names(explainer.explained)
    for image in images:
        try:
            decoded = image.decode()
        except (DataError, OSError) as error:
            fault = getattr(error, 'strerror', None)
            yield UnreadableImage(image.file, f'{image.file}: {fault}' if fault else str(error), image.number)
            continue
        pixels = preprocessing.seen(preprocessing.crop(decoded))
        maps = explainer.boxes(pixels, most, label, preprocessing.frame(*decoded.shape[:2]))
        gates = [] if stages == () else select_stages(explainer.batch([pixels]).gates(), stages)
        activations: List[ClassActivation] = []
        for number, each in enumerate(maps, 1):
            corners = preprocessing.to_image(each.corners.reshape(2, 2), *decoded.shape[:2])
            place = ', '.join(f'{value:.0f}' for value in corners.ravel())
            title = f'{number}: {names[each.label]} ({place})'
            activations.append(ClassActivation(each.heat, each.label, title, each.score, True, each.layer, each.grid))
        own = [gates_of(gate, 0) for gate in gates]
        yield Explanation(image.file, image.number, None, _drawn(pixels, maps, names), [], activations, own)


def _drawn(pixels: np.ndarray, maps: Sequence[BoxMap], names: Sequence[str]) -> np.ndarray:
    """The input with the boxes and their numbers."""
    if not maps:
        return pixels
    found = Detections.of([box.label for box in maps], [box.score for box in maps], [box.corners for box in maps])
    boxes = detection_boxes(found, names)
    return draw_boxes(pixels, [box._replace(text=str(number)) for number, box in enumerate(boxes, 1)])
