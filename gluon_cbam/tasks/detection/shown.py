"""Pictures of a training batch with their boxes."""

from __future__ import annotations

from typing import List, Optional, Sequence

import cv2
import numpy as np

from gluon_cbam.data.class_masks.palette import palette
from gluon_cbam.data.loading.box_training import CROWD, PADDING, DetectionBatch
from gluon_cbam.tasks.labeled_pictures import LabeledPicture, class_text


def labeled_pictures(batch: DetectionBatch, names: Optional[Sequence[str]]) -> List[LabeledPicture]:
    """Draw the boxes of each picture in the colors of their classes; crowds are white.

    Args:
        batch: the batch.
        names: names of the classes, or None.

    Returns:
        The pictures, with the names of their classes.
    """
    colors, pictures = palette().tolist(), []
    for image, rows in zip(batch.images.asnumpy(), batch.boxes.asnumpy()):
        pixels, found = np.ascontiguousarray(image), []
        for label, *corners in rows[rows[:, 0] != PADDING]:
            crowd = label == CROWD
            left, top, right, bottom = (int(round(float(corner))) for corner in corners)
            # after the background, whose color is black
            color = (255, 255, 255) if crowd else colors[(int(label) + 1) % len(colors)]
            cv2.rectangle(pixels, (left, top), (right - 1, bottom - 1), color, max(1, image.shape[0] // 150))
            found.append('crowd' if crowd else class_text(int(label), names))
        pictures.append(LabeledPicture(pixels, ', '.join(dict.fromkeys(found))))
    return pictures
