"""3 x 3 convolutions by Winograd's minimal filtering: fewer products, in operators that every engine has.

A tile of ``m x m`` outputs takes ``(m + 2)^2`` products a pair of channels instead of ``9 m^2``. Its inputs and the
kernel are multiplied by small constant matrices before, and the products afterwards (A. Lavin and S. Gray, "Fast
Algorithms for Convolutional Neural Networks", CVPR 2016). There is one matrix product for each of the ``(m + 2)^2``
places of a tile, with a row a tile and a column a filter. Kernels are transformed by operators on constants, which
engines evaluate once, when they load a file: it holds the kernels as they are.

The matrices are those of Cook and Toom for points that rounding hurts little: the difference from a direct convolution
is about 1e-6 of the largest output.
"""

from __future__ import annotations

from typing import List, NamedTuple, Optional

import numpy as np

from .graph import Node, OnnxGraph

_KERNEL = 3
_POINTS = {2: (0, 1, -1), 3: (0, 1, -1, 2), 4: (0, 1, -1, 0.5, -2)}  # tile -> finite points; infinity is the last one
_PACKING = 16
_TRANSFORM = 118
_LEAST_GAIN = 1.05


class Filtering(NamedTuple):
    """Matrices of one dimension: ``output @ ((kernel @ g) * (input @ d))`` filters ``tile + 2`` numbers d with 3 of g.

    Attributes:
        input: (tile + 2, tile + 2).
        kernel: (tile + 2, 3).
        output: (tile, tile + 2).
    """

    input: np.ndarray
    kernel: np.ndarray
    output: np.ndarray

    @classmethod
    def of(cls, tile: int) -> Filtering:
        """Those for a size of tile, float64."""
        points = np.array(_POINTS[tile], np.float64)
        others = [np.delete(points, number) for number in range(len(points))]
        places = len(points) + 1
        rows = [np.poly(roots)[::-1] for roots in (*others, points)]
        data = np.stack([np.pad(row, (0, places - len(row))) for row in rows])
        products = np.array([np.prod(point - rest) for point, rest in zip(points, others)])
        kernel = np.vstack([points[:, None] ** np.arange(_KERNEL) / products[:, None], np.eye(_KERNEL)[-1:]])
        output = np.hstack([points ** np.arange(tile)[:, None], np.eye(tile)[:, -1:]])
        return cls(data, kernel, output)


def tiles(size: int, tile: int) -> int:
    """How many tiles cover an axis."""
    return -(-size // tile)


def transform_of_axis(size: int, tile: int) -> np.ndarray:
    """((tile + 2) tiles, size), places first: an axis with a zero at either end in tiles that overlap, transformed."""
    count, matrix = tiles(size, tile), Filtering.of(tile).input
    whole = np.zeros((len(matrix), count, count * tile + _KERNEL - 1))
    for number in range(count):
        whole[:, number, number * tile : number * tile + len(matrix)] = matrix
    return np.float32(whole[:, :, 1 : size + 1].reshape(-1, size))


def cost(channels: int, filters: int, height: int, width: int, tile: Optional[int]) -> float:
    """Multiplications that a convolution of one map takes as long as, measured in ONNX Runtime on two cores.

    A direct one does nothing else. With tiles, reading the kernels once costs as much as 16 tiles, and a transformed
    number, in or out, 118 multiplications, since it is memory that it takes.

    Args:
        channels: of the input.
        filters: channels of the output.
        height: of the map.
        width: of the map.
        tile: its side; None for a direct convolution.
    """
    if tile is None:
        return _KERNEL**2 * height * width * channels * filters
    count, places = tiles(height, tile) * tiles(width, tile), (tile + _KERNEL - 1) ** 2
    return places * ((count + _PACKING) * channels * filters + _TRANSFORM * count * (channels + filters))


def best_tile(channels: int, filters: int, height: int, width: int) -> Optional[int]:
    """The side of the tiles to take for a map; None where a direct convolution is as good."""
    costs = {tile: cost(channels, filters, height, width, tile) for tile in _POINTS}
    best = min(costs, key=costs.get)
    return best if costs[best] * _LEAST_GAIN < cost(channels, filters, height, width, None) else None


def winograd(graph: OnnxGraph) -> None:
    """Write 3 x 3 convolutions with a stride of 1 in tiles, where :func:`best_tile` says so."""
    for conv in [node for node in graph.nodes if _is_plain(graph, node)]:
        filters, channels = graph.constants[conv.inputs[1]].shape[:2]
        tile = best_tile(channels, filters, *graph.shapes[conv.inputs[0]][2:])
        if tile is not None:
            in_tiles(graph, conv, tile)


def _is_plain(graph: OnnxGraph, node: Node) -> bool:
    """Whether a node is a convolution that :func:`in_tiles` can write."""
    if node.op != 'Conv' or len(graph.shapes.get(node.inputs[0], ())) != 4 or node.inputs[1] not in graph.constants:
        return False
    wanted = {'kernel_shape': [3, 3], 'strides': [1, 1], 'dilations': [1, 1], 'pads': [1] * 4, 'group': 1}
    usual = {'strides': [1, 1], 'dilations': [1, 1], 'pads': [0] * 4, 'group': 1}
    found = {**usual, 'kernel_shape': list(graph.constants[node.inputs[1]].shape[2:]), **node.attributes}
    return {name: _listed(found[name]) for name in wanted} == wanted and 'auto_pad' not in found


def _listed(value):
    return value if isinstance(value, int) else list(value)


def in_tiles(graph: OnnxGraph, conv: Node, tile: int) -> None:
    """Write one convolution in tiles.

    Args:
        graph: that it is in.
        conv: 3 x 3, stride 1, a border of 1, one group.
        tile: a key of the table of points.
    """
    _Writer(graph, conv, tile).write()


class _Writer:
    def __init__(self, graph: OnnxGraph, conv: Node, tile: int):
        self._graph, self._conv, self._tile, self._nodes = graph, conv, tile, []
        self._filters, self._channels = graph.constants[conv.inputs[1]].shape[:2]
        self._size = graph.shapes[conv.inputs[0]][2:]
        self._counts = [tiles(size, tile) for size in self._size]
        self._filtering, self._places = Filtering.of(tile), tile + _KERNEL - 1

    def write(self) -> None:
        data = self._transformed_map(self._conv.inputs[0])
        products = self._emit('MatMul', data, self._transformed_kernels(self._conv.inputs[1]))
        whole = self._assembled(products)
        self._finish(whole)
        place = self._graph.nodes.index(self._conv)
        self._graph.nodes[place : place + 1] = self._nodes

    def _transformed_map(self, name: str) -> str:
        """(places of a tile, tiles of all images, channels): channels are last, and an axis is transformed by a product
        with a matrix that knows of the border and of the overlap."""
        (height, width), places, (rows, columns) = self._size, self._places, self._counts
        by_rows, by_columns = (self._constant(transform_of_axis(size, self._tile)) for size in self._size)
        last = self._emit('Transpose', name, perm=[0, 2, 3, 1])
        lines = self._emit('MatMul', by_columns, self._reshaped(last, [-1, width, self._channels]))
        lines = self._reshaped(lines, [-1, height, places * columns * self._channels])
        both = self._emit('MatMul', by_rows, lines)
        both = self._reshaped(both, [-1, places, rows, places, columns * self._channels])
        both = self._emit('Transpose', both, perm=[1, 3, 0, 2, 4])
        return self._reshaped(both, [places**2, -1, self._channels])

    def _transformed_kernels(self, name: str) -> str:
        """(places of a tile, channels, filters), of constants."""
        both = np.kron(self._filtering.kernel, self._filtering.kernel)
        kernels = self._reshaped(name, [self._filters * self._channels, _KERNEL**2])
        kernels = self._emit('MatMul', self._constant(np.float32(both)), self._emit('Transpose', kernels, perm=[1, 0]))
        kernels = self._reshaped(kernels, [self._places**2, self._filters, self._channels])
        return self._emit('Transpose', kernels, perm=[0, 2, 1])

    def _assembled(self, products: str) -> str:
        """(N, filters, height, width), without the bias."""
        tile, (rows, columns), (height, width) = self._tile, self._counts, self._size
        both = np.kron(self._filtering.output, self._filtering.output)
        outputs = self._emit(
            'MatMul', self._constant(np.float32(both)), self._reshaped(products, [self._places**2, -1])
        )
        outputs = self._reshaped(outputs, [tile, tile, -1, rows, columns, self._filters])
        outputs = self._emit('Transpose', outputs, perm=[2, 3, 0, 4, 1, 5])
        outputs = self._reshaped(outputs, [-1, rows * tile, columns * tile, self._filters])
        if (rows * tile, columns * tile) != (height, width):
            bounds = [self._constant(np.int64(value)) for value in ([0, 0], [height, width], [1, 2])]
            outputs = self._emit('Slice', outputs, *bounds)
        self._graph.shapes[outputs] = (1, height, width, self._filters)
        self._graph.of_batch.append(outputs)
        return self._emit('Transpose', outputs, perm=[0, 3, 1, 2])

    def _finish(self, whole: str) -> None:
        """The bias, in a depthwise convolution of ones: engines put the activation after it inside, and the blocks of
        channels that the next convolution works in."""
        if len(self._conv.inputs) == 2:
            self._nodes[-1].outputs = list(self._conv.outputs)
            return
        ones = self._constant(np.ones((self._filters, 1, 1, 1), np.float32))
        attributes = {'kernel_shape': [1, 1], 'group': self._filters}
        self._nodes.append(Node('Conv', [whole, ones, self._conv.inputs[2]], self._conv.outputs, attributes))

    # the pieces

    def _emit(self, op: str, *inputs: str, **attributes) -> str:
        output = f'{self._conv.output}/winograd{len(self._nodes)}'
        self._nodes.append(Node(op, list(inputs), [output], attributes))
        return output

    def _reshaped(self, name: str, shape: List[int]) -> str:
        return self._emit('Reshape', name, self._constant(np.int64(shape)))

    def _constant(self, value: np.ndarray) -> str:
        return self._graph.constant(f'{self._conv.output}/winograd/constant', value)
