"""The two sizes of a network with an embedding: that of the images, and the one that its head is built for."""

from __future__ import annotations

from typing import Any, Dict, Mapping, Optional, Tuple

from gluon_cbam.attention.blocks import positive_int
from gluon_cbam.common.errors import UsageError
from gluon_cbam.common.image_size import ImageSize, image_size_of, square_side
from gluon_cbam.models.registry import gives_embeddings, variant

_OPTION = 'image_size'


def input_sizes(
    name: str, given: Mapping[str, Any], of_weights: Optional[Mapping[str, Any]], image_size: Optional[ImageSize]
) -> Tuple[Optional[ImageSize], Dict[str, Any]]:
    """Make both sizes agree: where one is given, the other follows. Networks with classes take any size.

    Args:
        name: the name of the model.
        given: the options that the user gave.
        of_weights: the options on the card of the weights; None without a card. A head that they have keeps its size.
        image_size: the size of the images that the user gave; None for none.

    Returns:
        The size of the images, None where nothing is given; and the option of the head, where it has to be added.

    Raises:
        UsageError: both are given, and differ; or the network has an embedding, and the images are not square.
        ValueError: the option is no positive integer.
    """
    if not gives_embeddings(name, {**(of_weights or {}), **given}):
        return image_size, {}
    if image_size is not None:
        image_size = square_side(image_size_of(image_size), f'{name} with an embedding')
    head = None if given.get(_OPTION) is None else positive_int(_OPTION, given[_OPTION])
    if image_size is None or head is None:
        fixed = of_weights is not None and gives_embeddings(name, of_weights)
        needed = image_size not in (None, variant(name).image_size) and not fixed
        return (head if image_size is None else image_size), ({_OPTION: image_size} if needed else {})
    if head != image_size:
        raise UsageError(
            f'--image-size {image_size} and --option image_size={head} contradict each other: give one of them, the '
            'other follows'
        )
    return image_size, {}
