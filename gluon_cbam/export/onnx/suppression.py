"""MXNet's non-maximum suppression by ONNX's operator NonMaxSuppression, with the same rows in the same order.

Both suppress a box whose IoU with a better one of its class is larger than a threshold, and take boxes whose score is
larger than another. MXNet gives the rows that are left by falling score and fills up with -1; NonMaxSuppression gives
the numbers of boxes, class by class, so that their places among all rows, which are sorted before, are marked and the
marked rows are taken in their order. Among equal scores the first row comes first here, and any in MXNet.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Dict

import numpy as np

from gluon_cbam.common.errors import DataError, UsageError

if TYPE_CHECKING:
    from .call import Call

_DEFAULTS: Dict[str, Any] = {'background_id': -1, 'in_format': 'corner', 'out_format': 'corner'}


def suppress(call: Call) -> str:
    """Translate ``box_nms``.

    Args:
        call: the operator; its input is (N, rows, columns) of a known number of rows.

    Returns:
        The name of the output, of the shape of the input.

    Raises:
        DataError: an attribute has a value that is not supported.
        UsageError: the number of boxes is not known, since the size of images is free.
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
        if shape[1] is None:
            raise UsageError(
                'ONNX files of this detector are for one size of images, on which the number of its boxes depends: '
                'leave out --dynamic'
            )
        self._rows, top = shape[1], call.attribute('topk', -1)
        self._top = min(top, self._rows) if top > 0 else self._rows
        self._score = call.attribute('valid_thresh', 0.0)
        if self._score < 0:
            raise DataError(f'box_nms with valid_thresh={self._score} cannot be translated to ONNX: give at least 0')

    def write(self) -> str:
        call, column = self._call, self._call.attribute('score_index', 1)
        places = self._largest(self._column(call.inputs[0], column), self._top)[1]
        best = self._rows_at(call.inputs[0], places)  # (N, top, columns), by falling score
        numbered = call.constant(np.arange(self._top, 0, -1, dtype=np.float32)[None], 'numbers')
        marked = call.emit('Mul', self._kept(best, self._column(best, column)), numbered)
        values, places = self._largest(marked, self._top)
        valid = call.emit('Unsqueeze', call.emit('Greater', values, call.constant(np.float32(0))), axes=[2])
        kept = call.emit('Where', valid, self._rows_at(best, places), call.constant(np.float32(-1)))
        if self._top == self._rows:
            return kept
        pads = call.constant(np.array([0, 0, 0, 0, self._rows - self._top, 0], np.int64))
        return call.emit('Pad', kept, pads, call.constant(np.float32(-1)))

    def _kept(self, best: str, scores: str) -> str:
        """(N, top) float32, 1 for rows that are not suppressed."""
        call, begin = self._call, self._call.attribute('coord_start', 2)
        bounds = (call.constant(np.array([value], np.int64)) for value in (begin, begin + 4, 2))
        limits = (
            call.constant(np.array([value], kind))
            for value, kind in (
                (self._top, np.int64), (call.attribute('overlap_thresh', 0.5), np.float32), (self._score, np.float32),
            )
        )  # fmt: skip
        corners = call.emit('Slice', best, *bounds)
        found = call.emit('NonMaxSuppression', corners, self._of_classes(best, scores), *limits)
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

    def _largest(self, values: str, count: int) -> Any:
        """The largest values along axis 1, by falling value, and their places."""
        number = self._call.constant(np.array([count], np.int64))
        return self._call.emit('TopK', values, number, outputs=2, axis=1)

    def _rows_at(self, rows: str, places: str) -> str:
        """The rows of each image at its places, (N, places, columns)."""
        last = self._call.emit('Unsqueeze', places, axes=[2])
        return self._call.emit('GatherND', rows, last, batch_dims=1)
