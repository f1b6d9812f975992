"""``cbam explain`` of a detector: the surest boxes of each image."""

from __future__ import annotations

from typing import TYPE_CHECKING, Iterable, Iterator, List, Optional, Union, cast

from gluon_cbam.common.errors import UsageError

if TYPE_CHECKING:
    from gluon_cbam.data.sources.images import ImageSource
    from gluon_cbam.explain.images.explainer import Explained, Explainer
    from gluon_cbam.explain.images.explanation import Explanation, UnreadableImage
    from gluon_cbam.explain.images.network_explainer import NetworkExplainer


def finds_boxes(explained: Explained) -> bool:
    """Whether a network or a session is a detector, with or without a card that names its task."""
    return explained.task.finds_boxes or getattr(getattr(explained, 'net', None), 'detects', False)


def check_box_method(explained: Explained, method: str) -> None:
    """Refuse methods that explain no boxes, for a detector.

    Raises:
        UsageError: the method is another than Grad-CAM.
    """
    if finds_boxes(explained) and method != 'gradcam':
        raise UsageError(f'boxes are explained by gradcam, with MXNet and --params, and not by {method}')


def explained_boxes(
    explainer: Explainer,
    images: Iterable[ImageSource],
    most: Optional[int],
    label: Optional[int],
    stages: Optional[List[str]],
) -> Iterator[Union[Explanation, UnreadableImage]]:
    """The explanations of images by a detector, see :func:`gluon_cbam.detection.explaining.explain_boxes`."""
    from gluon_cbam.detection.explaining import BOXES, explain_boxes

    return explain_boxes(cast('NetworkExplainer', explainer), images, most or BOXES, label, stages)
