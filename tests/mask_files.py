"""Small sets of pictures with masks, in each layout."""

import json

import cv2
import numpy as np
from PIL import Image

SIZES = {'a': (20, 30), 'b': (24, 24), 'c': (16, 40)}


def mask_of(name, classes=3):
    """A mask of a picture with every class and some ignored pixels."""
    mask = np.random.RandomState(ord(name)).randint(0, classes, SIZES[name]).astype(np.uint8)
    mask[:2] = 255
    return mask


def picture(path, name):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.RandomState(ord(name) + 1).randint(0, 256, (*SIZES[name], 3), np.uint8)
    assert cv2.imwrite(str(path), pixels)


def gray(path, mask):
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), mask)


def indexed(path, mask):
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(mask, 'P')
    image.putpalette([0, 0, 0, 128, 0, 0, 0, 128, 0] + [7] * 759)
    image.save(path)


def folders(root):
    for name in SIZES:
        picture(root / 'images' / f'{name}.jpg', name)
        gray(root / 'masks' / f'{name}.png', mask_of(name))
    return root


def voc(root):
    for name in SIZES:
        picture(root / 'JPEGImages' / f'{name}.jpg', name)
        indexed(root / 'SegmentationClass' / f'{name}.png', mask_of(name))
    picture(root / 'JPEGImages' / 'd.jpg', 'a')  # a picture of another task
    lists = root / 'ImageSets' / 'Segmentation'
    lists.mkdir(parents=True)
    for split, names in {'train': 'ab', 'val': 'c', 'trainval': 'abc'}.items():
        (lists / f'{split}.txt').write_text('\n'.join(names) + '\n')
    return root


def cityscapes(root):
    """Ids of labels: road 7 and bicycle 33 are classes, 0 and 14 are none."""
    values = np.array([7, 33, 14], np.uint8)
    for split, names in {'train': 'ab', 'val': 'c'}.items():
        for name in names:
            mask = mask_of(name)
            ids = np.where(mask == 255, 0, values[np.minimum(mask, 2)]).astype(np.uint8)
            picture(root / 'leftImg8bit' / split / 'bonn' / f'{name}_leftImg8bit.png', name)
            gray(root / 'gtFine' / split / 'bonn' / f'{name}_gtFine_labelIds.png', ids)
            gray(root / 'gtFine' / split / 'bonn' / f'{name}_gtFine_instanceIds.png', ids)
    return root


def coco(root):
    """Polygons that overlap, a crowd as run lengths, a picture without objects; ids of categories with a gap."""
    square, other = [4, 4, 14, 4, 14, 14, 4, 14], [10, 10, 22, 10, 22, 19, 10, 19]
    crowd = {'size': [20, 30], 'counts': [0, 100, 500]}
    annotations = [
        {'id': 1, 'image_id': 5, 'category_id': 7, 'iscrowd': 1, 'segmentation': crowd},
        {'id': 2, 'image_id': 5, 'category_id': 7, 'iscrowd': 0, 'segmentation': [square]},
        {'id': 3, 'image_id': 5, 'category_id': 2, 'iscrowd': 0, 'segmentation': [other]},
        {'id': 4, 'image_id': 6, 'category_id': 2, 'iscrowd': 0, 'segmentation': [square, [0, 0, 3, 0, 3, 3]]},
    ]
    images = [{'id': number, 'file_name': f'{name}.jpg'} for number, name in ((5, 'a'), (6, 'b'), (9, 'c'))]
    categories = [{'id': 7, 'name': 'dog'}, {'id': 2, 'name': 'cat'}]
    for name in SIZES:
        picture(root / 'images' / 'val' / f'{name}.jpg', name)
    path = root / 'annotations' / 'instances_val.json'
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({'images': images, 'annotations': annotations, 'categories': categories}))
    return root
