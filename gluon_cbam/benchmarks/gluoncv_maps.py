"""The maps that GluonCV's detectors read, and the repairs of GluonCV that they need.

There are two engines, which differ in the backbone:

* ``gluoncv``: gluoncv2's CBAM-ResNet, which is what runs without this package, on MXNet's operators;
* ``gluoncv fused``: ours, on the operators that are compiled for it, so that the rest of the detector is compared.

The layers between the backbone and the heads are ours in both: they are GluonCV's, layer for layer.
"""

from __future__ import annotations

from typing import List, Sequence

from mxnet.gluon import HybridBlock

from gluon_cbam.common.types import OpNamespace, Tensor
from gluon_cbam.models.registry import build

from .context import BenchmarkContext
from .gluoncv2_workloads import gluoncv2_name

FUSED = 'gluoncv fused'
"""The engine whose backbone is ours."""
_FIRST_STRIDE = 4  # of the first stage of gluoncv2's networks


class _Stages(HybridBlock):
    """The maps of gluoncv2's CBAM-ResNet at some strides, in the place of our backbone.

    Args:
        network: the network.
        strides: the strides.
    """

    def __init__(self, network: HybridBlock, strides: Sequence[int]) -> None:
        super().__init__()
        self.stem, *stages = network.features._children.values()
        self._numbers = [(stride // _FIRST_STRIDE).bit_length() - 1 for stride in strides]
        self._stages = stages[: max(self._numbers) + 1]
        for number, stage in enumerate(self._stages):
            self.register_child(stage, str(number))

    def hybrid_forward(self, F: OpNamespace, x: Tensor) -> List[Tensor]:
        maps, x = [], self.stem(x)
        for stage in self._stages:
            x = stage(x)
            maps.append(x)
        return [maps[number] for number in self._numbers]


class Maps(HybridBlock):
    """The maps of one of our detectors.

    Args:
        detector: the detector.
    """

    def __init__(self, detector: HybridBlock) -> None:
        super().__init__()
        self._maps = detector.maps
        for name in ('backbone', 'extras', 'pyramid'):
            if hasattr(detector, name):
                self.register_child(getattr(detector, name), name)

    def hybrid_forward(self, F: OpNamespace, x: Tensor) -> List[Tensor]:
        """Compute the maps."""
        return self._maps(F, x)


def detector_on(context: BenchmarkContext, backbone: str, frozen: bool = False) -> HybridBlock:
    """Build our detector with the backbone of the engine of a context.

    Args:
        context: description of the measurement.
        backbone: the backbone where the options name none.
        frozen: whether every BatchNorm of the backbone keeps its statistics.

    Returns:
        The detector, not initialized.

    Raises:
        UsageError: gluoncv2 has no such backbone.
    """
    ours = build(context.network, classes=context.classes, **context.options)
    if context.engine != FUSED:
        from gluoncv2.model_provider import get_model

        name = gluoncv2_name(context.options.get('backbone', backbone))
        theirs = get_model(name, bn_use_global_stats=frozen, in_channels=context.channels)
        object.__setattr__(ours, 'backbone', _Stages(theirs, ours.backbone.strides))  # of another type of block
    return ours
