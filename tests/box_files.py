"""Pictures and annotations that tests write by hand."""

import cv2
import numpy as np

SIZES = {'a.jpg': (48, 64), 'b.png': (40, 60), 'c.jpg': (30, 90)}


def picture(path, seed=0):
    """A smooth picture of the size of its name."""
    height, width = SIZES[path.name]
    path.parent.mkdir(parents=True, exist_ok=True)
    small = np.random.RandomState(seed + len(path.name)).randint(0, 256, (5, 5, 3), np.uint8)
    assert cv2.imwrite(str(path), cv2.resize(small, (width, height)))


def pictures(folder, names=tuple(SIZES)):
    for seed, name in enumerate(names):
        picture(folder / name, seed)


def text(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, encoding='utf-8')
    return path


def rows(boxes):
    """The boxes of a set as plain values: {split: {picture: [(class, corners, difficult, crowd), ...]}}."""
    return {
        part.name: {
            image.name: [
                (boxes.classes[label], tuple(np.round(corners, 6)), bool(difficult), bool(crowd))
                for label, corners, difficult, crowd in zip(
                    image.boxes.classes, image.boxes.corners.tolist(), image.boxes.difficult, image.boxes.crowd
                )
            ]
            for image in part.columns
        }
        for part in boxes.parts
    }
