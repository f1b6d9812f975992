"""The settings of segmentation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional

from gluon_cbam.common.settings import setting


@dataclass
class SegmentationSettings:
    """The settings that segmentation alone has."""

    aux_weight: float = setting(
        0.5, 'factor of the loss of the auxiliary head', kind=float, minimum=0, immutable=True, section='Segmentation',
    )  # fmt: skip
    base_size: Optional[int] = setting(
        None, 'short side of pictures that random scales are relative to, in pixels  [13/12 of the image size]',
        kind=int, minimum=1, immutable=True,
    )  # fmt: skip
    best_mask_figure: str = setting(
        'miou', 'figure by which parameters are kept as the best', choices=('miou', 'pixel_accuracy', 'mean_accuracy')
    )
