"""Pictures with rectangles in pure colors, whose class is the color, and record files of them."""

from dataclasses import replace

import cv2
import numpy as np

from gluon_cbam.data.boxes.labels import encode
from gluon_cbam.data.boxes.records import BoxRecords
from gluon_cbam.data.boxes.segmentation_files import segmentations_writer
from gluon_cbam.data.boxes.table import Boxes
from gluon_cbam.data.records.recordio import RecordWriter

COLORS = np.array([(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0), (0, 255, 255)], np.uint8)


def drawn(height, width, boxes):
    """A black picture with a rectangle for each box, in the color of its class."""
    pixels = np.zeros((height, width, 3), np.uint8)
    for (left, top, right, bottom), kind in zip(boxes.corners.astype(int), boxes.classes):
        pixels[top:bottom, left:right] = COLORS[kind]
    return pixels


def with_polygons(boxes):
    """The boxes with polygons of their four corners."""
    texts = [f'[[{left},{top},{right},{top},{right},{bottom},{left},{bottom}]]' for left, top, right, bottom in
             boxes.corners.tolist()]  # fmt: skip
    return replace(boxes, segmentations=np.array([*texts, ''], object)[:-1])


def found(pixels, kind):
    """The box around the pixels of the color of a class: (4,) xmin, ymin, xmax, ymax; None where there are none."""
    near = np.abs(pixels.astype(int) - COLORS[kind]).max(axis=2) < 128
    if not near.any():
        return None
    rows, columns = np.flatnonzero(near.any(axis=1)), np.flatnonzero(near.any(axis=0))
    return np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1])


def apart(height, width, count, seed):
    """Boxes of different classes, each in a strip of its own, so that none hides another."""
    random, strip = np.random.RandomState(seed), width // max(count, 1)
    corners = []
    for number in range(count):
        left, right = np.sort(random.permutation(strip - 2)[:2]) + number * strip
        top, bottom = np.sort(random.permutation(height - 2)[:2])
        corners.append((left, top, right + 2, bottom + 2))
    return Boxes.of(corners, random.permutation(len(COLORS))[:count])


def write_boxes(path, pictures, names=None):
    """A file of detection records, with the segmentations of the boxes.

    Args:
        path: the file.
        pictures: (pixels, boxes) of each record.
        names: names of the classes for ``classes.txt``; by default, none is written.
    """
    with RecordWriter(path) as writer, segmentations_writer(path, (), None) as segmentations:
        for number, (pixels, boxes) in enumerate(pictures):
            image = cv2.imencode('.png', np.ascontiguousarray(pixels[..., ::-1]))[1].tobytes()
            label = encode(boxes, *pixels.shape[:2])
            writer.write(label, image, number)
            segmentations(number, label, boxes)
    if names is not None:
        (path.parent / 'classes.txt').write_text(''.join(f'{name}\n' for name in names))
    return BoxRecords(path)
