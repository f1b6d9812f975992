"""Where the cells of a feature map lie on the image."""

from __future__ import annotations

import ast
import json
from typing import List, NamedTuple, Optional, Sequence, Tuple

import mxnet as mx
import numpy as np


class Grid(NamedTuple):
    """The places that the cells of a map look at, the centres of their receptive fields, in pixels of the input.

    Attributes:
        stride: from a cell to the next one, vertically and horizontally.
        start: of the first cell; the centre of the first pixel is 0. A network that halves by convolutions of 3 x 3
            with a padding of 1 has 0 here for any stride; halves that are means of 2 x 2 have (stride - 1) / 2.
    """

    stride: Tuple[float, float]
    start: Tuple[float, float]


def even(shape: Sequence[int], size: Sequence[int]) -> Grid:
    """The grid of cells that divide an image evenly, as resizing has it.

    Args:
        shape: of the map, height and width.
        size: of the image.
    """
    stride = tuple(length / cells for length, cells in zip(size, shape))
    return Grid(stride, tuple((step - 1) / 2 for step in stride))


def spread(heat: np.ndarray, size: Sequence[int], grid: Optional[Grid] = None) -> np.ndarray:
    """Maps over the pixels of the image, bilinear between the places of their cells, constant outside them.

    With the grid of :func:`even` it is OpenCV's ``INTER_LINEAR`` and PyTorch's ``align_corners=False``.

    Args:
        heat: (..., H, W), float.
        size: height and width of the image that the network saw, in pixels.
        grid: of the map; default :func:`even`.

    Returns:
        (..., *size), of the type of ``heat``.
    """
    shape = heat.shape[-2:]
    grid = grid or even(shape, size)
    down, right = (
        _weights((np.arange(length) - start) / stride, cells)
        for length, cells, start, stride in zip(size, shape, grid.start, grid.stride)
    )
    return (down @ heat @ right.T).astype(heat.dtype)


def at_cells(pixels: np.ndarray, shape: Sequence[int], grid: Optional[Grid] = None) -> np.ndarray:
    """The values of an image at the places of a map's cells, bilinear between the pixels.

    Args:
        pixels: (..., H, W).
        shape: of the map, height and width.
        grid: of the map; default :func:`even`.

    Returns:
        (..., *shape), float64.
    """
    size = pixels.shape[-2:]
    grid = grid or even(shape, size)
    down, right = (
        _weights(start + stride * np.arange(cells), length)
        for length, cells, start, stride in zip(size, shape, grid.start, grid.stride)
    )
    return down @ pixels @ right.T


def _weights(places: np.ndarray, cells: int) -> np.ndarray:
    """(places, cells): the part of every cell in the value at every place, counted in cells."""
    places = np.clip(places, 0, cells - 1)
    below = np.floor(places).astype(int)
    weights, rows = np.zeros((len(places), cells)), np.arange(len(places))
    weights[rows, below] = 1 - (places - below)
    weights[rows, np.minimum(below + 1, cells - 1)] += places - below
    return weights


def grids(symbols: Sequence[mx.sym.Symbol], data: str, size: Sequence[int], shapes: Sequence) -> List[Optional[Grid]]:
    """The grids of maps, from the strides and paddings of the convolutions and poolings before them.

    Args:
        symbols: the maps.
        data: name of the variable that the images are.
        size: height and width of the images.
        shapes: of the maps, (N, C, H, W).

    Returns:
        None for a map whose size is not what these strides give: there is something else on its way, an enlargement
        for instance.
    """
    graph = json.loads(mx.sym.Group(list(symbols)).tojson())
    found: List[Optional[Grid]] = []
    for node in graph['nodes']:
        before = next((found[index] for index, *_ in node['inputs'] if found[index]), None)
        if node['op'] == 'null':
            before = Grid((1, 1), (0, 0)) if node['name'] == data else None
        elif before and node['op'] in ('Convolution', 'Pooling'):
            before = _strided(before, node['attrs'])
        found.append(before)
    return [
        found[index] if found[index] and _fits(found[index], shape, size) else None
        for (index, *_), shape in zip(graph['heads'], shapes)
    ]


def _strided(before: Grid, attributes) -> Grid:
    """The grid after a convolution or a pooling."""
    kernel, stride, dilate, pad = (
        tuple(ast.literal_eval(attributes.get(name, '()'))) or (default, default)
        for name, default in (('kernel', 1), ('stride', 1), ('dilate', 1), ('pad', 0))
    )
    start = tuple(
        at + step * ((size - 1) * apart / 2 - border)
        for at, step, size, apart, border in zip(before.start, before.stride, kernel, dilate, pad)
    )
    return Grid(tuple(step * by for step, by in zip(before.stride, stride)), start)


def _fits(grid: Grid, shape, size) -> bool:
    return len(shape) == 4 and all(
        abs(cells - length / stride) <= 1 for cells, length, stride in zip(shape[2:], size, grid.stride)
    )
