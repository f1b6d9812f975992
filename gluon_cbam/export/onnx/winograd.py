"""3 x 3 convolutions by Winograd's minimal filtering: fewer multiplications, in operators that every engine has.

A tile of ``m x m`` outputs takes ``(m + 2)^2`` multiplications for a pair of channels instead of ``9 m^2``: inputs and
kernel are transformed by small constant matrices, multiplied, and the products transformed back (A. Lavin and S. Gray,
"Fast Algorithms for Convolutional Neural Networks", CVPR 2016, arXiv 1509.09308, equation 8). For each of the
``(m + 2)^2`` points of a tile there is one matrix product, with a row for each tile and a column for each filter.
Kernels are transformed by operators on constants, which engines evaluate once when they load the file; the file has the
original kernels.

The matrices are those of Cook and Toom for interpolation points with small rounding errors: the difference from a
direct convolution is about 1e-6 of the largest output.
"""

from __future__ import annotations

from typing import Any, List, NamedTuple, Optional

import numpy as np

from .graph import Node, OnnxGraph

_KERNEL = 3
_POINTS = {2: (0, 1, -1), 3: (0, 1, -1, 2), 4: (0, 1, -1, 0.5, -2)}  # tile -> finite points; the last is infinity
_PACKING = 16  # cost of reading the kernels once, in tiles: their products take as long
_TRANSFORM = 118  # cost of transforming a number, which is bound by memory, in multiplications
_MIN_GAIN = 1.05


class WinogradMatrices(NamedTuple):
    """The transforms F(m, 3) of one dimension: ``output @ ((kernel @ g) * (input @ d))`` filters d with g.

    d has m + 2 numbers and g has 3; the result has m. The paper writes A^T, G and B^T for output, kernel and input.

    Attributes:
        input: (m + 2, m + 2) float64.
        kernel: (m + 2, 3) float64.
        output: (m, m + 2) float64.
    """

    input: np.ndarray
    kernel: np.ndarray
    output: np.ndarray

    @classmethod
    def of_tile(cls, tile: int) -> WinogradMatrices:
        """The matrices for a tile of m outputs, a key of the table of points."""
        points = np.array(_POINTS[tile], np.float64)
        others = [np.delete(points, number) for number in range(len(points))]
        places = len(points) + 1
        rows = [np.poly(roots)[::-1] for roots in (*others, points)]
        data = np.stack([np.pad(row, (0, places - len(row))) for row in rows])
        products = np.array([np.prod(point - rest) for point, rest in zip(points, others)])
        kernel = np.vstack([points[:, None] ** np.arange(_KERNEL) / products[:, None], np.eye(_KERNEL)[-1:]])
        output = np.hstack([points ** np.arange(tile)[:, None], np.eye(tile)[:, -1:]])
        return cls(data, kernel, output)


def tile_count(size: int, tile: int) -> int:
    """The number of tiles that cover an axis of ``size`` pixels."""
    return -(-size // tile)


def axis_transform(size: int, tile: int) -> np.ndarray:
    """The matrix that pads an axis by one zero on either side, cuts it into overlapping tiles and transforms them.

    Args:
        size: the size of the axis, in pixels.
        tile: its outputs.

    Returns:
        ((tile + 2) * tiles, size) float32; rows are ordered by point, then by tile.
    """
    count, matrix = tile_count(size, tile), WinogradMatrices.of_tile(tile).input
    whole = np.zeros((len(matrix), count, count * tile + _KERNEL - 1))
    for number in range(count):
        whole[:, number, number * tile : number * tile + len(matrix)] = matrix
    return whole[:, :, 1 : size + 1].reshape(-1, size).astype(np.float32)


def cost(channels: int, filters: int, height: int, width: int, tile: Optional[int]) -> float:
    """The time of a convolution of one map, in multiplications of a direct one, as measured in ONNX Runtime on 2 cores.

    With tiles, reading the kernels once takes as long as the products of 16 tiles, and transforming a number, of the
    input or of the output, as long as 118 multiplications, since memory bounds it.

    Args:
        channels: the number of channels of the input.
        filters: channels of the output.
        height: the height of the map, in pixels.
        width: the width of the map, in pixels.
        tile: side of the tiles; None for a direct convolution.
    """
    if tile is None:
        return _KERNEL**2 * height * width * channels * filters
    count, places = tile_count(height, tile) * tile_count(width, tile), (tile + _KERNEL - 1) ** 2
    return places * ((count + _PACKING) * channels * filters + _TRANSFORM * count * (channels + filters))


def best_tile(channels: int, filters: int, height: int, width: int) -> Optional[int]:
    """The fastest side of tiles for a map by :func:`cost`; None where a direct convolution is as fast."""
    costs = {tile: cost(channels, filters, height, width, tile) for tile in _POINTS}
    best = min(costs, key=costs.__getitem__)
    return best if costs[best] * _MIN_GAIN < cost(channels, filters, height, width, None) else None


def winograd_convolutions(graph: OnnxGraph) -> None:
    """Replace 3 x 3 convolutions with a stride of 1 by Winograd's, where :func:`best_tile` is not None."""
    for conv in [node for node in graph.nodes if _is_supported(graph, node)]:
        filters, channels = graph.constants[conv.inputs[1]].shape[:2]
        tile = best_tile(channels, filters, *graph.fixed_shape(conv.inputs[0])[2:])
        if tile is not None:
            replace_convolution(graph, conv, tile)


def _is_supported(graph: OnnxGraph, node: Node) -> bool:
    """Whether a node is a convolution that :func:`replace_convolution` supports."""
    if node.op != 'Conv' or len(graph.fixed_shape(node.inputs[0])) != 4 or node.inputs[1] not in graph.constants:
        return False
    wanted = {'kernel_shape': [3, 3], 'strides': [1, 1], 'dilations': [1, 1], 'pads': [1] * 4, 'group': 1}
    usual = {'strides': [1, 1], 'dilations': [1, 1], 'pads': [0] * 4, 'group': 1}
    found = {**usual, 'kernel_shape': list(graph.constants[node.inputs[1]].shape[2:]), **node.attributes}
    return {name: _listed(found[name]) for name in wanted} == wanted and 'auto_pad' not in found


def _listed(value: Any) -> Any:
    return value if isinstance(value, int) else list(value)


def replace_convolution(graph: OnnxGraph, conv: Node, tile: int) -> None:
    """Replace a convolution by Winograd's.

    Args:
        graph: the graph that it is in; changed in place.
        conv: 3 x 3 with a stride of 1, a padding of 1 and one group.
        tile: side of the tiles: 2, 3 or 4.
    """
    _WinogradWriter(graph, conv, tile).write()


class _WinogradWriter:
    """Writes the nodes of one convolution."""

    def __init__(self, graph: OnnxGraph, conv: Node, tile: int) -> None:
        self._graph, self._conv, self._tile = graph, conv, tile
        self._nodes: List[Node] = []
        self._filters, self._channels = graph.constants[conv.inputs[1]].shape[:2]
        self._size = graph.fixed_shape(conv.inputs[0])[2:]
        self._counts = [tile_count(size, tile) for size in self._size]
        self._matrices, self._points = WinogradMatrices.of_tile(tile), tile + _KERNEL - 1

    def write(self) -> None:
        data = self._transformed_map(self._conv.inputs[0])
        products = self._emit('MatMul', data, self._transformed_kernels(self._conv.inputs[1]))
        self._add_bias(self._assembled(products))
        place = self._graph.nodes.index(self._conv)
        self._graph.nodes[place : place + 1] = self._nodes

    def _transformed_map(self, name: str) -> str:
        """(points of a tile, tiles of all images, channels), by a product for each axis, see :func:`axis_transform`."""
        (height, width), points, (rows, columns) = self._size, self._points, self._counts
        by_rows, by_columns = (self._constant(axis_transform(size, self._tile)) for size in self._size)
        last = self._emit('Transpose', name, perm=[0, 2, 3, 1])
        lines = self._emit('MatMul', by_columns, self._reshaped(last, [-1, width, self._channels]))
        lines = self._reshaped(lines, [-1, height, points * columns * self._channels])
        both = self._emit('MatMul', by_rows, lines)
        both = self._reshaped(both, [-1, points, rows, points, columns * self._channels])
        both = self._emit('Transpose', both, perm=[1, 3, 0, 2, 4])
        return self._reshaped(both, [points**2, -1, self._channels])

    def _transformed_kernels(self, name: str) -> str:
        """(points of a tile, channels, filters), from constants alone."""
        both = np.kron(self._matrices.kernel, self._matrices.kernel)
        kernels = self._reshaped(name, [self._filters * self._channels, _KERNEL**2])
        kernels = self._emit(
            'MatMul', self._constant(both.astype(np.float32)), self._emit('Transpose', kernels, perm=[1, 0])
        )
        kernels = self._reshaped(kernels, [self._points**2, self._filters, self._channels])
        return self._emit('Transpose', kernels, perm=[0, 2, 1])

    def _assembled(self, products: str) -> str:
        """(N, filters, height, width), without the bias."""
        tile, (rows, columns), (height, width) = self._tile, self._counts, self._size
        both = np.kron(self._matrices.output, self._matrices.output)
        outputs = self._emit(
            'MatMul', self._constant(both.astype(np.float32)), self._reshaped(products, [self._points**2, -1])
        )
        outputs = self._reshaped(outputs, [tile, tile, -1, rows, columns, self._filters])
        outputs = self._emit('Transpose', outputs, perm=[2, 3, 0, 4, 1, 5])
        outputs = self._reshaped(outputs, [-1, rows * tile, columns * tile, self._filters])
        if (rows * tile, columns * tile) != (height, width):
            bounds = [self._constant(np.asarray(value, np.int64)) for value in ([0, 0], [height, width], [1, 2])]
            outputs = self._emit('Slice', outputs, *bounds)
        self._graph.shapes[outputs] = (1, height, width, self._filters)
        self._graph.of_batch.append(outputs)
        return self._emit('Transpose', outputs, perm=[0, 3, 1, 2])

    def _add_bias(self, outputs: str) -> None:
        """Add the bias in a depthwise convolution of ones.

        Engines fuse the activation after it, and write its output in the blocked layout of the next convolution.
        """
        if len(self._conv.inputs) == 2:
            self._nodes[-1].outputs = list(self._conv.outputs)
            return
        ones = self._constant(np.ones((self._filters, 1, 1, 1), np.float32))
        attributes = {'kernel_shape': [1, 1], 'group': self._filters}
        self._nodes.append(Node('Conv', [outputs, ones, self._conv.inputs[2]], self._conv.outputs, attributes))

    # nodes and constants

    def _emit(self, op: str, *inputs: str, **attributes: Any) -> str:
        output = f'{self._conv.output}/winograd{len(self._nodes)}'
        self._nodes.append(Node(op, list(inputs), [output], attributes))
        return output

    def _reshaped(self, name: str, shape: List[int]) -> str:
        return self._emit('Reshape', name, self._constant(np.asarray(shape, np.int64)))

    def _constant(self, value: np.ndarray) -> str:
        return self._graph.constant(f'{self._conv.output}/winograd/constant', value)
