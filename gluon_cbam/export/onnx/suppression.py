"""MXNet's non-maximum suppression by ONNX's operator NonMaxSuppression, with the same rows in the same order.

Both suppress a box whose IoU with a better one of its class is larger than a threshold, and take boxes whose score is
larger than another. MXNet gives the rows that are left by falling score and fills up with -1; NonMaxSuppression gives
the numbers of boxes, class by class, so that their places among all rows, which are sorted before, are marked and the
marked rows are taken in their order. Among equal scores the first row comes first here, and any in MXNet.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Dict

import numpy as np

from gluon_cbam.common.errors import DataError

if TYPE_CHECKING:
    from .call import Call

_FLOAT = 1  # onnx.TensorProto.FLOAT
_DEFAULTS: Dict[str, Any] = {'background_id': -1, 'in_format': 'corner', 'out_format': 'corner'}


def suppress(call: Call) -> str:
    """Translate ``box_nms``.

    Args:
        call: the operator; its input is (N, rows, columns), whose rows may depend on the size of the image.

    Returns:
        The name of the output, of the shape of the input.

    Raises:
        DataError: an attribute has a value that is not supported.
    """
    return _Suppression(call).write()


class _Suppression:
    """Writes the nodes of one suppression."""

    def __init__(self, call: Call) -> None:
        self._call = call
        for name, default in _DEFAULTS.items():
            if call.attribute(name, default) != default:
                raise DataError(f'box_nms with {name}={call.attribute(name)} cannot be translated to ONNX')
        shape = call.shapes[0]
        if len(shape) != 3:
            raise DataError(f'box_nms can be translated to ONNX of three axes, got the shape {shape}')
        self._rows, self._most = shape[1], call.attribute('topk', -1)
        self._cuts = self._most > 0 and (self._rows is None or self._most < self._rows)
        self._all = self._number_of_rows()
        self._top = self._number_considered()
        self._score = call.attribute('valid_thresh', 0.0)
        if self._score < 0:
            raise DataError(f'box_nms with valid_thresh={self._score} cannot be translated to ONNX: give at least 0')

    def write(self) -> str:
        call, column = self._call, self._call.attribute('score_index', 1)
        places = self._largest(self._column(call.inputs[0], column))[1]
        best = self._rows_at(call.inputs[0], places)  # (N, top, columns), by falling score
        marked = call.emit('Mul', self._kept(best, self._column(best, column)), self._falling())
        values, places = self._largest(marked)
        valid = call.emit('Unsqueeze', call.emit('Greater', values, call.constant(np.float32(0))), axes=[2])
        kept = call.emit('Where', valid, self._rows_at(best, places), call.constant(np.float32(-1)))
        return self._filled(kept) if self._cuts else kept

    def _number_of_rows(self) -> str:
        """(1,) int64."""
        call = self._call
        if self._rows is not None:
            return call.constant(np.array([self._rows], np.int64))
        place = call.constant(np.array([1], np.int64))
        return call.emit('Gather', call.emit('Shape', call.inputs[0]), place, axis=0)

    def _number_considered(self) -> str:
        """The number of the best rows that are considered, (1,) int64."""
        if not self._cuts:
            return self._all
        most = self._call.constant(np.array([self._most], np.int64))
        return most if self._rows is not None else self._call.emit('Min', self._all, most)

    def _falling(self) -> str:
        """(1, top) float32: top, ..., 2, 1."""
        call = self._call
        if self._rows is not None:
            top = self._most if self._cuts else self._rows
            return call.constant(np.arange(top, 0, -1, dtype=np.float32)[None], 'numbers')
        bounds = call.emit('Squeeze', self._top), *(call.constant(np.int64(value)) for value in (0, -1))
        return call.emit('Unsqueeze', call.emit('Cast', call.emit('Range', *bounds), to=_FLOAT), axes=[0])

    def _filled(self, rows: str) -> str:
        """The rows, and rows of -1 up to the number of rows of the input."""
        call = self._call
        begins, last = (call.constant(np.zeros(count, np.int64)) for count in (4, 1))
        pads = call.emit('Concat', begins, call.emit('Sub', self._all, self._top), last, axis=0)
        return call.emit('Pad', rows, pads, call.constant(np.float32(-1)))

    def _kept(self, best: str, scores: str) -> str:
        """(N, top) float32, 1 for rows that are not suppressed."""
        call, begin = self._call, self._call.attribute('coord_start', 2)
        bounds = (call.constant(np.array([value], np.int64)) for value in (begin, begin + 4, 2))
        limits = (call.attribute('overlap_thresh', 0.5), self._score)
        corners = call.emit('Slice', best, *bounds)
        found = call.emit(
            'NonMaxSuppression', corners, self._of_classes(best, scores), self._top,
            *(call.constant(np.array([value], np.float32)) for value in limits),
        )  # fmt: skip
        chosen = call.emit('Gather', found, call.constant(np.array([0, 2], np.int64)), axis=1)  # image and row
        count = call.emit('Gather', call.emit('Shape', chosen), call.constant(np.array([0], np.int64)), axis=0)
        ones = call.emit('Expand', call.constant(np.ones(1, np.float32)), count)
        nothing = call.emit('ConstantOfShape', call.emit('Shape', scores))
        return call.emit('ScatterND', nothing, chosen, ones)

    def _of_classes(self, best: str, scores: str) -> str:
        """(N, classes, top) scores, 0 for rows of another class."""
        call, column = self._call, self._call.attribute('id_index', -1)
        rows = call.emit('Unsqueeze', scores, axes=[1])
        if column < 0 or call.attribute('force_suppress', False):
            return rows
        numbers = call.constant(np.arange(call.classes, dtype=np.float32)[None, :, None], 'classes')
        own = call.emit('Equal', call.emit('Unsqueeze', self._column(best, column), axes=[1]), numbers)
        return call.emit('Where', own, rows, call.constant(np.float32(0)))

    def _column(self, rows: str, number: int) -> str:
        """(N, rows) of (N, rows, columns)."""
        return self._call.emit('Gather', rows, self._call.constant(np.int64(number)), axis=2)

    def _largest(self, values: str) -> Any:
        """The largest values along axis 1 that are considered, by falling value, and their places."""
        return self._call.emit('TopK', values, self._top, outputs=2, axis=1)

    def _rows_at(self, rows: str, places: str) -> str:
        """The rows of each image at its places, (N, places, columns)."""
        last = self._call.emit('Unsqueeze', places, axes=[2])
        return self._call.emit('GatherND', rows, last, batch_dims=1)
