"""The base of detectors: one network, two graphs that share its parameters."""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Sequence, Tuple, Union

import mxnet as mx
import numpy as np

from gluon_cbam.attention.blocks import CheckedBlock, positive_int
from gluon_cbam.common.types import OpNamespace, Tensor
from gluon_cbam.ops.tracing import FusedBlock, export_symbol

from .anchors import AnchorLevel, anchor_array, anchor_graph
from .heads import LevelHead
from .suppression import BOUND, Suppression


class _Graph(FusedBlock):
    """A function of a network's blocks, which has a graph of its own and shares their parameters."""

    def __init__(self, function: Callable[..., Any], blocks: Dict[str, mx.gluon.HybridBlock], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._function = function
        for name, block in blocks.items():
            self.register_child(block, name)

    def hybrid_forward(self, F: OpNamespace, *inputs: Tensor) -> Any:
        return self._function(F, *inputs)


class Detector(CheckedBlock):
    """A network that finds objects.

    A HybridBlock keeps the graph of the mode in which it is first called; this one has a graph for each mode, so that
    it may be called in both in any order. Called with a symbol, it gives detections.

    Subclasses add their blocks, call :meth:`_add_heads` last, and implement :meth:`maps`.

    Args:
        classes: number of classes, without the background.
        suppression: how detections are chosen.

    Attributes:
        detects: True; other networks have no such attribute.
        classes: the number of classes.
        suppression: how detections are chosen.

    Inputs:
        (N, C, H, W), float.

    Outputs:
        While training (in ``autograd.record()`` and ``train_mode()``): class logits (N, A, 1 + classes), the background
        first, and box offsets (N, A, 4), coded as :mod:`.box_coding` says; float32. Otherwise: detections
        (N, keep, 6) float32, see :meth:`.suppression.Suppression.__call__`, in pixels of the input; boxes may reach
        over its borders.
    """

    detects = True

    def __init__(self, classes: int, suppression: Suppression, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.classes = positive_int('classes', classes)
        self.suppression = suppression
        self._anchors: Dict[Tuple[int, int], np.ndarray] = {}
        self._on_device: Dict[Tuple[int, int, mx.Context], mx.nd.NDArray] = {}

    def maps(self, F: OpNamespace, x: Tensor) -> List[Tensor]:
        """Compute the maps that the heads read.

        Args:
            F: ``mxnet.ndarray`` or ``mxnet.symbol``.
            x: (N, C, H, W).

        Returns:
            (N, channels, rows, columns) for each head.
        """
        raise NotImplementedError

    def _add_heads(self, heads: Sequence[LevelHead], levels: Sequence[AnchorLevel]) -> None:
        """Add a head for each map; call it last, in the name scope."""
        self._levels = tuple(levels)
        self.heads = mx.gluon.nn.HybridSequential(prefix='')
        self.heads.add(*heads)
        blocks = dict(self._children)
        for name, function in (('_raw_graph', self.raw), ('_detection_graph', self._detections)):
            object.__setattr__(self, name, _Graph(function, blocks))  # not a child: the parameters have one name

    def raw(self, F: OpNamespace, x: Tensor) -> Tuple[Tensor, Tensor]:
        """Compute the logits and the offsets of all anchors; see :class:`Detector`."""
        return self._of_maps(F, self.maps(F, x))

    def _of_maps(self, F: OpNamespace, maps: Sequence[Tensor]) -> Tuple[Tensor, Tensor]:
        logits, offsets = zip(*(head(each) for head, each in zip(self.heads, maps)))
        sizes = (1 + self.classes, 4)
        rows = [F.concat(*parts, dim=1).reshape((0, -1, size)) for parts, size in zip((logits, offsets), sizes)]
        return tuple(F.cast(part, dtype='float32') for part in rows)

    def _detections(self, F: OpNamespace, x: Tensor, anchors: Tensor) -> Tensor:
        return self.suppression(F, *self.raw(F, x), anchors, self.classes)

    def forward(self, x: Tensor, *args: Any) -> Union[Tensor, Tuple[Tensor, Tensor]]:
        """Compute the outputs of the current mode; see :class:`Detector`."""
        if not isinstance(x, mx.nd.NDArray):
            return super().forward(x, *args)
        self.check_input(x.shape)
        if mx.autograd.is_training():
            return self._raw_graph(x)
        return self._detection_graph(x, self.anchors(x.shape[2], x.shape[3], x.context))

    def hybrid_forward(self, F: OpNamespace, x: Tensor) -> Tensor:
        """Compute detections; their anchors follow from the input, so that the graph fits any size."""
        maps = self.maps(F, x)
        anchors = anchor_graph(F, self._levels, maps, x)
        return self.suppression(F, *self._of_maps(F, maps), anchors, self.classes)

    def anchors(self, height: int, width: int, ctx: mx.Context = None) -> mx.nd.NDArray:
        """The anchors of inputs of a size.

        Args:
            height: height of the inputs, in pixels.
            width: width of the inputs, in pixels.
            ctx: the context of the result; default the CPU. It is kept, so that it costs nothing the next time.

        Returns:
            (A, 4) float32: centers, widths and heights in pixels of the input.

        Raises:
            ValueError: there are too many for the classes.
        """
        key = height, width, ctx or mx.cpu()
        if key not in self._on_device:
            self._on_device[key] = mx.nd.array(self.anchor_array(height, width), ctx=key[2])
        return self._on_device[key]

    def anchor_array(self, height: int, width: int) -> np.ndarray:
        """The anchors as numpy, see :meth:`anchors`."""
        if (height, width) not in self._anchors:
            anchors = anchor_array(self._levels, self.map_sizes(height, width), height, width)
            if len(anchors) * self.classes >= BOUND:
                raise ValueError(
                    f'{len(anchors)} anchors of {height} x {width} pixels and {self.classes} classes are too many: '
                    f'their product must be below {BOUND}'
                )
            self._anchors[height, width] = anchors
        return self._anchors[height, width]

    def map_sizes(self, height: int, width: int) -> List[Tuple[int, int]]:
        """Height and width of the maps that the heads read, in cells, for inputs of a size in pixels."""
        group = mx.sym.Group(self.maps(mx.sym, mx.sym.Variable('data')))
        _, shapes, _ = group.infer_shape(data=(1, self._in_channels, height, width))
        return [shape[2:] for shape in shapes]

    def hybridize(self, active: bool = True, **kwargs: Any) -> None:
        """Hybridize both graphs; see :meth:`mxnet.gluon.HybridBlock.hybridize`."""
        super().hybridize(active, **kwargs)
        for graph in self._graphs():
            graph.hybridize(active, **kwargs)

    def export(self, path: str, epoch: int = 0, remove_amp_cast: bool = True) -> None:
        """Write the graph of detections and its parameters; see :meth:`mxnet.gluon.HybridBlock.export`."""
        symbol = export_symbol(self, mx.sym.Variable('data'))
        symbol.save(f'{path}-symbol.json', remove_amp_cast=remove_amp_cast)
        auxiliary = set(symbol.list_auxiliary_states())
        values = {
            f'{"aux" if parameter.name in auxiliary else "arg"}:{parameter.name}': parameter._reduce()
            for parameter in self.collect_params().values()
        }
        mx.nd.save(f'{path}-{epoch:04d}.params', values)

    def _clear_cached_op(self) -> None:
        super()._clear_cached_op()
        for graph in self._graphs():
            graph._clear_cached_op()

    def _graphs(self) -> List[_Graph]:
        """Both graphs; none while the network is built."""
        return [vars(self)[name] for name in ('_raw_graph', '_detection_graph') if name in vars(self)]
