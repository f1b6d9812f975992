"""Pictures of rectangles, whose class is their color, with masks, as records; and settings of short runs on them."""

import cv2
import numpy as np

from gluon_cbam.data.class_masks.png import encode_mask
from gluon_cbam.data.class_masks.values import counts_of, largest_class
from gluon_cbam.data.class_names import write_classes
from gluon_cbam.data.records.recordio import RecordWriter
from gluon_cbam.data.records.segmentation import mask_labels

NAMES = ['background', 'red', 'green', 'blue']
OPTION = {'backbone': 'cbamnet_tiny'}
COLORS = np.array([[0, 0, 0], [230, 20, 20], [20, 230, 20], [20, 20, 230]], np.uint8)


def scene(seed, height=32, width=32):
    """A picture, (H, W, 3) RGB, and its mask, of which a border is ignored."""
    random = np.random.RandomState(seed)
    mask = np.zeros((height, width), np.uint8)
    for _ in range(random.randint(1, 4)):
        top, left = random.randint(0, height // 2), random.randint(0, width // 2)
        mask[top : top + random.randint(6, 16), left : left + random.randint(6, 16)] = random.randint(1, len(NAMES))
    pixels = np.maximum(COLORS[mask], random.randint(0, 50, (height, width, 3)).astype(np.uint8))
    mask[:2] = 255
    return pixels, mask


def write_masks(path, scenes):
    """Write records, and the names of the classes beside them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with RecordWriter(path) as writer:
        for pixels, mask in scenes:
            image, data = cv2.imencode('.png', pixels[..., ::-1])[1].tobytes(), encode_mask(mask)
            labels = mask_labels(mask.shape, len(data), largest_class(counts_of(mask)))
            writer.write(labels, image + data, writer.count + 1)
    write_classes(path.parent, NAMES)


def settings(data, output, **changes):
    return {
        'task': 'segmentation', 'network': 'fcn', 'option': OPTION, 'data_train': str(data / 'train.rec'),
        'data_val': str(data / 'val.rec'), 'output': str(output), 'image_size': 32, 'batch_size': 8, 'epochs': 2,
        'log_interval': 3, 'lr': 0.002, 'optimizer': 'adamw', 'workers': 1, 'augment': 'flip', **changes,
    }  # fmt: skip
