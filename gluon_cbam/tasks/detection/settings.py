"""The settings of detection."""

from __future__ import annotations

from dataclasses import dataclass

from gluon_cbam.common.settings import setting


@dataclass
class DetectionSettings:
    """The settings that detection alone has."""

    ignore_difficult: bool = setting(
        False, 'let anchors in objects that are marked as difficult count for nothing, as in crowds', kind=bool,
        immutable=True, section='Detection',
    )  # fmt: skip
    best_figure: str = setting('ap', 'figure by which parameters are kept as the best', choices=('ap', 'ap50', 'voc07'))
    match_iou: float = setting(
        0.5, 'IoU with an object above which an anchor is positive', kind=float, minimum=0, exclusive_maximum=1,
        immutable=True,
    )  # fmt: skip
    negatives: float = setting(
        3.0, 'background anchors of an image in the loss for each positive one, the hardest', kind=float, minimum=0,
        immutable=True,
    )  # fmt: skip
    box_weight: float = setting(1.0, 'factor of the loss of the boxes', kind=float, minimum=0, immutable=True)
