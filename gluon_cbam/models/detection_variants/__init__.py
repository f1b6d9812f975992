"""The detectors by name, a module for each kind: one row each. It imports only the standard library."""

from __future__ import annotations

from typing import Tuple, Union

from .dense import CENTERNETS, YOLO3S, CenterNetVariant, YOLO3Variant
from .single_shot import SSDS, STAIRNETS, SSDVariant, StairNetVariant
from .two_stage import FASTER_RCNNS, MASK_RCNNS, FasterRCNNVariant, MaskRCNNVariant

DetectorVariant = Union[SSDVariant, FasterRCNNVariant, CenterNetVariant, YOLO3Variant]
"""A row of any family of detectors."""
DETECTORS: Tuple[DetectorVariant, ...] = (*SSDS, *STAIRNETS, *FASTER_RCNNS, *MASK_RCNNS, *CENTERNETS, *YOLO3S)
"""Every detector."""

__all__ = [
    'CENTERNETS',
    'DETECTORS',
    'FASTER_RCNNS',
    'MASK_RCNNS',
    'SSDS',
    'STAIRNETS',
    'YOLO3S',
    'CenterNetVariant',
    'DetectorVariant',
    'FasterRCNNVariant',
    'MaskRCNNVariant',
    'SSDVariant',
    'StairNetVariant',
    'YOLO3Variant',
]
