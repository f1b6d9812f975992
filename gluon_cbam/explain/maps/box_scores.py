"""Where a detector computes the score of a detection: which logits, and the gradient of the score by them.

A kind of detector is a subclass of :class:`BoxScores` in :data:`KINDS`.
"""

from __future__ import annotations

from typing import Callable, Dict, List, NamedTuple, Sequence, Tuple, Type

import mxnet as mx
import numpy as np

from gluon_cbam.common.errors import UsageError
from gluon_cbam.models.detection.anchor_detector import AnchorDetector
from gluon_cbam.models.detection.box_coding import decode
from gluon_cbam.models.detection.boxes import centered, clipped
from gluon_cbam.models.detection.centernet import STRIDE, CenterNet
from gluon_cbam.models.detection.detector import Detector
from gluon_cbam.models.detection.faster_rcnn import FasterRCNN
from gluon_cbam.models.detection.yolo3 import YOLO3

from .graph import DATA, NetworkGraph, Shape, evaluate_symbols, replace_by_variable


class Source(NamedTuple):
    """Where the score of a detection is computed.

    Attributes:
        path: path of the block that gives its logits.
        places: (L,) their places in the flat output of the block for one image.
        gradient: function from the logits (L,) to the gradient (L,) of the logarithm of the score by them.
        layer: path of the block whose output is weighted by default.
    """

    path: str
    places: np.ndarray
    gradient: Callable[[np.ndarray], np.ndarray]
    layer: str


class BoxScores:
    """The scores that a detector computes for one image.

    Subclasses implement :meth:`candidates` and :meth:`source`.

    Args:
        net: the detector.
        graph: its graph.
        shapes: see :meth:`.graph.NetworkGraph.map_shapes`.
        images: (1, C, H, W).

    Attributes:
        heads: the children of the network that give the logits and the boxes.
        neck: those between the maps that are explained by default and the heads.
    """

    heads: Tuple[str, ...] = ('heads',)
    neck: Tuple[str, ...] = ()

    def __init__(self, net: Detector, graph: NetworkGraph, shapes: Dict[str, Shape], images: mx.nd.NDArray) -> None:
        self._net, self._graph, self._shapes, self._images = net, graph, shapes, images

    def candidates(self, label: int) -> Tuple[np.ndarray, np.ndarray]:
        """The scores (A,) of a class, and the boxes (A, 4): xmin, ymin, xmax and ymax in pixels of the input."""
        raise NotImplementedError

    def source(self, number: int, label: int) -> Source:
        """Where the score of a class is computed, of the candidate with a number."""
        raise NotImplementedError

    def source_of(self, row: np.ndarray) -> Source:
        """Where the score of a detection (6,) is computed: the candidate that has its score and its box."""
        label = int(row[0])
        scores, boxes = self.candidates(label)
        return self.source(int((np.abs(scores - row[1]) + np.abs(boxes - row[2:]).max(axis=1)).argmin()), label)

    def _values(self, symbols: Sequence[mx.sym.Symbol], **inputs: mx.nd.NDArray) -> List[np.ndarray]:
        """The values of symbols for the image, float64."""
        with mx.autograd.pause(train_mode=False):
            values = evaluate_symbols(symbols, self._graph.parameters, {DATA: self._images, **inputs})
        return [value[0].asnumpy().astype(np.float64) for value in values]

    def _layer_before(self, path: str, with_its_cells: bool = True) -> str:
        """The last block before neck and heads that a head depends on, with the cells of that head if there is one."""
        later = {*self.neck, *self.heads}
        before = [each for each in reversed(list(self._shapes)) if each.split('.')[0] not in later]
        same = [each for each in before if with_its_cells and self._shapes[each][2:] == self._shapes[path][2:]]
        for each in [*same, *before]:
            output, variable = replace_by_variable(self._graph.outputs[path], self._graph.outputs[each])
            if variable in output.list_inputs():
                return each
        raise UsageError(f'{path} depends on no map')


class _AnchorScores(BoxScores):
    """Of heads that read one map each, whose anchors follow one another cell by cell."""

    _ending = ''  # of the paths of the blocks that give the logits

    def __init__(self, net: Detector, graph: NetworkGraph, shapes: Dict[str, Shape], images: mx.nd.NDArray) -> None:
        super().__init__(net, graph, shapes, images)
        self._paths = [f'{self.heads[0]}.{number}{self._ending}' for number in range(len(net.heads))]
        constants = {f'constant{number}': each for number, each in enumerate(net.constants(images))}
        symbols = net.export_graph(net.candidates, *map(mx.sym.Variable, (DATA, *constants)))
        self._boxes, self._scores = self._values(list(symbols), **constants)

    def candidates(self, label: int) -> Tuple[np.ndarray, np.ndarray]:
        """See :meth:`BoxScores.candidates`."""
        return self._scores[:, label], self._boxes

    def _outputs_of(self, number: int, outputs: int) -> Tuple[str, np.ndarray]:
        """The path of the head of an anchor, and the places of its outputs."""
        for path in self._paths:
            _, channels, rows, columns = self._shapes[path]
            own = channels // outputs
            if number < own * rows * columns:
                cell, anchor = divmod(number, own)
                return path, (anchor * outputs + np.arange(outputs)) * rows * columns + cell
            number -= own * rows * columns
        raise AssertionError(f'{type(self._net).__name__} has fewer anchors than candidates')


class SSDScores(_AnchorScores):
    """A softmax over the classes of an anchor. The finest map that a head reads is explained, as all depend on it."""

    _ending = '.class_predictor'

    def source(self, number: int, label: int) -> Source:
        """See :meth:`BoxScores.source`."""
        path, places = self._outputs_of(number, 1 + self._net.classes)
        return Source(path, places, _of_softmax(1 + label), self._layer_before(self._paths[0]))


class YOLO3Scores(_AnchorScores):
    """The probability of an object times that of its class.

    The backbone's map with the cells of the head is explained: a head itself is a convolution of 1 x 1, to whose input
    the score has a gradient in one cell alone.
    """

    neck = ('blocks', 'transitions')

    def source(self, number: int, label: int) -> Source:
        """See :meth:`BoxScores.source`."""
        path, places = self._outputs_of(number, 5 + self._net.classes)
        return Source(path, places[[4, 5 + label]], _of_sigmoids, self._layer_before(path))


class CenterNetScores(BoxScores):
    """The sigmoid of the heat map at a peak.

    The backbone's last map is explained: to the map that the heads read, the score has a gradient in 3 x 3 small cells.
    """

    heads = ('heatmap', 'size', 'offset')
    neck = ('upsampling',)

    def __init__(self, net: Detector, graph: NetworkGraph, shapes: Dict[str, Shape], images: mx.nd.NDArray) -> None:
        super().__init__(net, graph, shapes, images)
        heat, sizes, offsets = self._values([graph.outputs[path] for path in self.heads])
        self._scores = 1 / (1 + np.exp(-heat.reshape(len(heat), -1)))  # (classes, H W)
        rows, columns = np.indices(heat.shape[1:])
        centers, half = np.stack([columns, rows]) + offsets, np.maximum(sizes, 0) / 2
        self._boxes = STRIDE * np.concatenate([centers - half, centers + half]).reshape(4, -1).T

    def candidates(self, label: int) -> Tuple[np.ndarray, np.ndarray]:
        """See :meth:`BoxScores.candidates`."""
        return self._scores[label], self._boxes

    def source(self, number: int, label: int) -> Source:
        """See :meth:`BoxScores.source`."""
        path = self.heads[0]
        place, layer = label * len(self._boxes) + number, self._layer_before(path, with_its_cells=False)
        return Source(path, np.array([place]), _of_sigmoids, layer)


class FasterRCNNScores(BoxScores):
    """A softmax over the classes of a RoI, with a gradient through its pooling; the RoI itself is held fixed.

    The last map of the backbone before the pooling is explained.
    """

    heads = ('regions', 'head', 'predictor', 'mask_head')
    neck = ('pyramid',)

    def __init__(self, net: Detector, graph: NetworkGraph, shapes: Dict[str, Shape], images: mx.nd.NDArray) -> None:
        super().__init__(net, graph, shapes, images)
        rois, self._scores, self._offsets = self._values(net.export_graph(net.scored_rois, mx.sym.Variable(DATA)))
        if len(rois) == 1:  # nothing tells features of RoIs from maps of images then
            raise UsageError('the boxes of a Faster R-CNN with proposals=1 are not explained: it needs at least 2')
        self._rois = mx.nd.array(rois)

    def candidates(self, label: int) -> Tuple[np.ndarray, np.ndarray]:
        """See :meth:`BoxScores.candidates`."""
        boxes = decode(mx.nd, mx.nd.array(self._offsets[:, label]), centered(mx.nd, self._rois))
        if getattr(self._net, 'finds_masks', False):  # the detections are clipped
            boxes = clipped(mx.nd, boxes, self._images)
        return self._scores[:, label], boxes.asnumpy().reshape(-1, 4)

    def source(self, number: int, label: int) -> Source:
        """See :meth:`BoxScores.source`."""
        path, outputs = 'predictor.class_predictor', 1 + self._net.classes
        layer = self._layer_before(path, with_its_cells=False)
        return Source(path, number * outputs + np.arange(outputs), _of_softmax(1 + label), layer)


KINDS: Dict[Type[Detector], Type[BoxScores]] = {
    AnchorDetector: SSDScores,
    YOLO3: YOLO3Scores,
    CenterNet: CenterNetScores,
    FasterRCNN: FasterRCNNScores,
}
"""The scores of each kind of detector."""


def _of_softmax(chosen: int) -> Callable[[np.ndarray], np.ndarray]:
    """The gradient of the logarithm of a softmax's output by its logits."""

    def gradient(logits: np.ndarray) -> np.ndarray:
        powers = np.exp(logits - logits.max())
        return (np.arange(len(logits)) == chosen) - powers / powers.sum()

    return gradient


def _of_sigmoids(logits: np.ndarray) -> np.ndarray:
    """The gradient of the logarithm of a product of sigmoids by their logits."""
    return 1 / (1 + np.exp(logits))
