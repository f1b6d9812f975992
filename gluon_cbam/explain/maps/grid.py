"""The positions of a feature map's cells on the image, and resampling between cells and pixels."""

from __future__ import annotations

import ast
import json
from typing import TYPE_CHECKING, Iterable, List, Mapping, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from gluon_cbam.compat.renamed import renamed_attributes

if TYPE_CHECKING:
    import mxnet as mx


class Grid(NamedTuple):
    """The centers of the receptive fields of a map's cells, in pixels of the network's input.

    Attributes:
        stride: distance between neighboring cells, vertically and horizontally.
        start: position of the first cell; 0 is the center of the first pixel. A network that downsamples by 3 x 3
            convolutions with a padding of 1 has 0 here for any stride; 2 x 2 average pooling gives (stride - 1) / 2.
    """

    stride: Tuple[float, float]
    start: Tuple[float, float]


def _pair(values: Iterable[float]) -> Tuple[float, float]:
    vertical, horizontal = values
    return vertical, horizontal


def even_grid(shape: Sequence[int], size: Sequence[int]) -> Grid:
    """The grid of cells that divide an image evenly, which resizing an image assumes.

    Args:
        shape: height and width of the map, in cells.
        size: height and width of the image, in pixels.
    """
    stride = _pair(length / cells for length, cells in zip(size, shape))
    return Grid(stride, _pair((step - 1) / 2 for step in stride))


def upsample_map(heat: np.ndarray, size: Sequence[int], grid: Optional[Grid] = None) -> np.ndarray:
    """Upsample maps to the pixels of the image: bilinear between the centers of the cells, constant outside them.

    With the grid of :func:`even_grid` it equals OpenCV's ``INTER_LINEAR`` and PyTorch's ``align_corners=False``.

    Args:
        heat: (..., H, W) floats.
        size: height and width of the network's input, in pixels.
        grid: positions of the cells; default :func:`even_grid`.

    Returns:
        (..., height, width) of the type of ``heat``.
    """
    shape = heat.shape[-2:]
    grid = grid or even_grid(shape, size)
    rows, columns = (
        _interpolation((np.arange(length) - start) / stride, cells)
        for length, cells, start, stride in zip(size, shape, grid.start, grid.stride)
    )
    return (rows @ heat @ columns.T).astype(heat.dtype)


def sample_at_cells(pixels: np.ndarray, shape: Sequence[int], grid: Optional[Grid] = None) -> np.ndarray:
    """Sample images at the centers of a map's cells, bilinear between the pixels.

    Args:
        pixels: (..., height, width), numbers or bool.
        shape: height and width of the map, in cells.
        grid: positions of the cells; default :func:`even_grid`.

    Returns:
        ``(..., *shape)`` float64.
    """
    size = pixels.shape[-2:]
    grid = grid or even_grid(shape, size)
    rows, columns = (
        _interpolation(start + stride * np.arange(cells), length)
        for length, cells, start, stride in zip(size, shape, grid.start, grid.stride)
    )
    return rows @ pixels @ columns.T


def _interpolation(positions: np.ndarray, cells: int) -> np.ndarray:
    """(positions, cells): the weight of every cell in the linear interpolation at positions given in cells."""
    positions = np.clip(positions, 0, cells - 1)
    below = np.floor(positions).astype(int)
    weights, rows = np.zeros((len(positions), cells)), np.arange(len(positions))
    weights[rows, below] = 1 - (positions - below)
    weights[rows, np.minimum(below + 1, cells - 1)] += positions - below
    return weights


def receptive_field_grids(
    symbols: Sequence[mx.sym.Symbol], data: str, size: Sequence[int], shapes: Sequence[Tuple[int, ...]]
) -> List[Optional[Grid]]:
    """The grids of maps, from the strides and paddings of the convolutions and poolings before them.

    Args:
        symbols: the maps.
        data: name of the variable of the images.
        size: height and width of the images, in pixels.
        shapes: shape of each map, (N, C, H, W).

    Returns:
        A grid for each map; None for a map whose size does not match these strides: another operator, for instance an
        upsampling, comes before it.
    """
    import mxnet as mx

    graph = json.loads(mx.sym.Group(list(symbols)).tojson())
    found: List[Optional[Grid]] = []
    for node in graph['nodes']:
        before = next((found[index] for index, *_ in node['inputs'] if found[index]), None)
        if node['op'] == 'null':
            before = Grid((1, 1), (0, 0)) if node['name'] == data else None
        elif before and node['op'] in ('Convolution', 'Pooling'):
            before = _strided(before, node['attrs'])
        found.append(before)
    grids = [found[index] for index, *_ in graph['heads']]
    return [grid if grid and _fits(grid, shape, size) else None for grid, shape in zip(grids, shapes)]


def _strided(before: Grid, attributes: Mapping[str, str]) -> Grid:
    """The grid after a convolution or a pooling."""
    kernel, stride, dilate, pad = (
        tuple(ast.literal_eval(attributes.get(name, '()'))) or (default, default)
        for name, default in (('kernel', 1), ('stride', 1), ('dilate', 1), ('pad', 0))
    )
    start = _pair(
        at + step * ((size - 1) * apart / 2 - border)
        for at, step, size, apart, border in zip(before.start, before.stride, kernel, dilate, pad)
    )
    return Grid(_pair(step * by for step, by in zip(before.stride, stride)), start)


def _fits(grid: Grid, shape: Tuple[int, ...], size: Sequence[int]) -> bool:
    return len(shape) == 4 and all(
        abs(cells - length / stride) <= 1 for cells, length, stride in zip(shape[2:], size, grid.stride)
    )


__getattr__ = renamed_attributes(
    __name__,
    {
        'spread': 'explain.maps.grid.upsample_map',
    },
)
