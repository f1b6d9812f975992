"""Pictures of a training batch with their masks."""

from __future__ import annotations

from typing import List, Optional, Sequence

import numpy as np

from gluon_cbam.data.class_masks.palette import palette
from gluon_cbam.data.class_masks.values import IGNORED
from gluon_cbam.data.loading.mask_training import MaskBatch
from gluon_cbam.tasks.labeled_pictures import LabeledPicture, class_text


def labeled_pictures(batch: MaskBatch, names: Optional[Sequence[str]]) -> List[LabeledPicture]:
    """Mix each picture with the colors of the classes of its pixels, of the palette of Pascal VOC.

    Args:
        batch: the batch.
        names: names of the classes, or None.

    Returns:
        The pictures, with the names of their classes.
    """
    colors, pictures = palette(), []
    for image, mask in zip(batch.images.asnumpy(), batch.masks.asnumpy()):
        pixels = ((image.astype(np.uint16) + colors[mask]) // 2).astype(np.uint8)
        found = [class_text(int(label), names) for label in np.unique(mask) if label != IGNORED]
        pictures.append(LabeledPicture(pixels, ', '.join(found)))
    return pictures
