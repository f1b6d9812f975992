"""Networks that compute other outputs while training than otherwise."""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Sequence, Tuple

import mxnet as mx

from gluon_cbam.attention.blocks import CheckedBlock
from gluon_cbam.common.types import OpNamespace, Tensor
from gluon_cbam.ops.tracing import FusedBlock, export_symbol


class _Graph(FusedBlock):
    """A function of a network's blocks, which has a graph of its own and shares their parameters."""

    def __init__(self, function: Callable[..., Any], blocks: Dict[str, mx.gluon.HybridBlock], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._function = function
        for name, block in blocks.items():
            self.register_child(block, name)

    def hybrid_forward(self, F: OpNamespace, *inputs: Tensor) -> Any:
        return self._function(F, *inputs)


class ModeGraphs(CheckedBlock):
    """A network with a graph for each mode, which share its parameters.

    A HybridBlock keeps the graph of the mode in which it is first called; this one may be called in both in any order.
    Called with a symbol, it gives the outputs outside training, for inputs of any size.

    Subclasses add their blocks, call :meth:`_add_graphs` last, and implement :meth:`raw` and :meth:`final`.

    Attributes:
        only_training: names of the blocks that :meth:`final` does not use.
    """

    only_training: Tuple[str, ...] = ()

    def raw(self, F: OpNamespace, x: Tensor, *inputs: Tensor) -> Any:
        """Compute the outputs that the loss reads.

        Args:
            F: ``mxnet.ndarray`` or ``mxnet.symbol``.
            x: (N, C, H, W).
            *inputs: what the network needs while training, besides the images.
        """
        raise NotImplementedError

    def final(self, F: OpNamespace, x: Tensor, *constants: Tensor) -> Any:
        """Compute the outputs outside training.

        Args:
            F: ``mxnet.ndarray`` or ``mxnet.symbol``.
            x: (N, C, H, W).
            *constants: the arrays of :meth:`constants`; none for a graph that fits any size.
        """
        raise NotImplementedError

    def constants(self, x: mx.nd.NDArray) -> Sequence[mx.nd.NDArray]:
        """Arrays that follow from the size of the input alone and are computed once for each, on its device."""
        return ()

    def _add_graphs(self) -> None:
        """Add the graphs of both modes; call it when all blocks were added, in the name scope."""
        blocks = dict(self._children)
        final = {name: block for name, block in blocks.items() if name not in self.only_training}
        for name, function, used in (('_raw_graph', self.raw, blocks), ('_final_graph', self.final, final)):
            object.__setattr__(self, name, _Graph(function, used))  # not a child: the parameters have one name

    def forward(self, x: Tensor, *args: Any) -> Any:
        """Compute the outputs of the current mode."""
        if not isinstance(x, mx.nd.NDArray):
            return super().forward(x, *args)
        self._check_array(x)
        if mx.autograd.is_training():
            return self._raw_graph(x, *args)
        return self._final_graph(x, *self.constants(x))

    def hybrid_forward(self, F: OpNamespace, x: Tensor) -> Any:
        """Compute the outputs outside training, of inputs of any size."""
        return self.final(F, x)

    def export_graph(self, function: Callable[..., Any], x: mx.sym.Symbol, *constants: mx.sym.Symbol) -> Any:
        """Trace a graph for export.

        Args:
            function: :meth:`final`, or another method of its arguments.
            x: the input.
            *constants: symbols for the arrays of :meth:`constants`; none for a graph that fits any size.
        """
        return export_symbol(_Graph(function, {}, prefix=self.prefix), x, *constants)

    def hybridize(self, active: bool = True, **kwargs: Any) -> None:
        """Hybridize both graphs; see :meth:`mxnet.gluon.HybridBlock.hybridize`."""
        super().hybridize(active, **kwargs)
        for graph in self._graphs():
            graph.hybridize(active, **kwargs)

    def export(self, path: str, epoch: int = 0, remove_amp_cast: bool = True) -> None:
        """Write the graph outside training and its parameters; see :meth:`mxnet.gluon.HybridBlock.export`."""
        outputs = export_symbol(self, mx.sym.Variable('data'))
        symbol = mx.sym.Group(list(outputs)) if isinstance(outputs, (list, tuple)) else outputs
        symbol.save(f'{path}-symbol.json', remove_amp_cast=remove_amp_cast)
        arguments, auxiliary = set(symbol.list_arguments()), set(symbol.list_auxiliary_states())
        values = {
            f'{"aux" if parameter.name in auxiliary else "arg"}:{parameter.name}': parameter._reduce()
            for parameter in self.collect_params().values()
            if parameter.name in arguments | auxiliary
        }
        mx.nd.save(f'{path}-{epoch:04d}.params', values)

    def _clear_cached_op(self) -> None:
        super()._clear_cached_op()
        for graph in self._graphs():
            graph._clear_cached_op()

    def _graphs(self) -> List[_Graph]:
        """Both graphs; none while the network is built."""
        return [vars(self)[name] for name in ('_raw_graph', '_final_graph') if name in vars(self)]
