"""Feature pyramids (Lin et al., CVPR 2017, arXiv 1612.03144, section 3): every map with the semantics of the deepest.

The parts are those of GluonCV's ``FPNFeatureExpander`` in its ``faster_rcnn_fpn``: each convolution has a bias, nothing
is normalized, and the coarsest map is a convolution with stride 2 of the deepest lateral map, where the paper takes
every second cell of the deepest output.
"""

from __future__ import annotations

from typing import Any, List, Sequence, Tuple

from mxnet import init
from mxnet.gluon import nn

from gluon_cbam.common.types import OpNamespace, Tensor
from gluon_cbam.ops.tracing import FusedBlock


class FeaturePyramid(FusedBlock):
    """Lateral 1 x 1 convolutions, the way down by nearest neighbors and addition, and a 3 x 3 convolution of each sum.

    Args:
        channels: channels of the maps of the backbone, the finest first; the stride of each is twice that of the one
            before.
        coarser: maps after the deepest one; each is a 3 x 3 convolution with stride 2 of the one before, the first of
            them of the deepest lateral map.
        width: channels of each output.

    Inputs:
        A map (N, channels, H, W) of each stage.

    Outputs:
        (N, width, H, W) for each, and then the coarser ones.
    """

    def __init__(self, channels: Sequence[int], coarser: int = 1, width: int = 256, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        with self.name_scope():
            self.laterals = nn.HybridSequential(prefix='')
            self.outputs = nn.HybridSequential(prefix='')
            self.coarser = nn.HybridSequential(prefix='')
            self.laterals.add(*(_conv(each, width, 1) for each in channels))
            self.outputs.add(*(_conv(width, width, 3) for _ in channels))
            self.coarser.add(*(_conv(width, width, 3, 2) for _ in range(coarser)))

    def hybrid_forward(self, F: OpNamespace, *maps: Tensor) -> Tuple[Tensor, ...]:
        """See :class:`FeaturePyramid`."""
        own = [lateral(each) for lateral, each in zip(self.laterals, maps)]
        sums: List[Tensor] = [own[-1]]
        for each in reversed(own[:-1]):
            twice = F.UpSampling(sums[0], scale=2, sample_type='nearest')
            sums.insert(0, each + F.slice_like(twice, each, axes=(2, 3)))
        outputs = [output(each) for output, each in zip(self.outputs, sums)]
        last = own[-1]
        for layer in self.coarser:
            last = layer(last)
            outputs.append(last)
        return tuple(outputs)


def _conv(in_channels: int, channels: int, kernel: int, stride: int = 1) -> nn.Conv2D:
    weights = init.Xavier(rnd_type='uniform', factor_type='in', magnitude=1)
    return nn.Conv2D(channels, kernel, stride, kernel // 2, in_channels=in_channels, weight_initializer=weights)
