"""The numbers by which files of COCO name images and categories."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, Optional, Sequence, Tuple


@dataclass(frozen=True)
class CocoIds:
    """The ids of images and categories.

    Attributes:
        images: id of each image, in the order of the data.
        categories: id of each class, in the order of the indices of classes.
        names: paths of the images. Some tools write the name of an image or its stem as its id.
    """

    images: Tuple[int, ...]
    categories: Tuple[int, ...]
    names: Tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        images: int,
        classes: int,
        image_ids: Optional[Sequence[Optional[int]]] = None,
        category_ids: Optional[Sequence[int]] = None,
        names: Sequence[str] = (),
    ) -> CocoIds:
        """The ids of a set of data; those that it lacks are numbers from 1.

        Args:
            images: number of images.
            classes: number of classes.
            image_ids: id of each image; default 1 and so on, as where ids are None or not unique: records of other
                tools may have the id 0 all.
            category_ids: id of each class; default 1 and so on.
            names: path of each image.
        """
        known = image_ids is not None and len(set(image_ids)) == images and None not in image_ids
        numbers = [int(number or 0) for number in image_ids or ()] if known else range(1, images + 1)
        return cls(tuple(numbers), tuple(category_ids or range(1, classes + 1)), tuple(names))

    def image_places(self) -> Dict[object, int]:
        """Id, name, and stem of a name -> index of the image; a name or stem of several images is left out."""
        places: Dict[object, int] = {}
        texts: Dict[object, Optional[int]] = {}
        for index, name in enumerate(self.names):
            base = name.rpartition('/')[2]
            for text in {name, base, base.rpartition('.')[0] or base}:
                texts[text] = None if text in texts else index
        places.update((text, index) for text, index in texts.items() if index is not None)
        places.update((number, index) for index, number in enumerate(self.images))
        return places
