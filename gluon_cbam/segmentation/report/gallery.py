"""Pictures of the report: the truth, the prediction, and where they differ."""

from __future__ import annotations

from gluon_cbam.explain.figures.html import figure_of
from gluon_cbam.segmentation.drawing import draw_errors, draw_mask
from gluon_cbam.tasks.segmentation.scored import ScoredMasks

_SIDE = 360  # the longer side of a picture, in pixels


def picture_figure(scored: ScoredMasks, number: int) -> str:
    """HTML of a picture: its true mask, the mask that was found, and the pixels that are wrong.

    Args:
        scored: the set.
        number: number of a picture whose mask is kept.
    """
    pixels, truth = scored.load(number)
    found, names, rates = scored.pictures.found(number), scored.scores.classes, scored.pictures
    pictures = {
        'truth': draw_mask(pixels, truth, names, _SIDE),
        'prediction': draw_mask(pixels, found, names, _SIDE),
        'errors': draw_errors(pixels, truth, found, _SIDE),
    }
    ignored = rates.ignored[number] / truth.size
    caption = f'mIoU {rates.miou[number]:.3f}, pixel accuracy {rates.accuracy[number]:.3f}, {ignored:.1%} ignored'
    return figure_of(scored.image_name(number), pictures, caption)
