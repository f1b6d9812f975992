"""Attention modules, one in each file, and :func:`gluon_cbam.attach`, which puts them into other networks.

Each module maps (N, C, H, W) to the same shape or to a gate. It is written once, in the methods of an ops backend, see
:class:`.base.Attention`. It may import ``ops`` and ``common``.
"""

from .bam import BAM
from .cbam import CBAM
from .channel import ChannelAttention
from .modified import ModifiedCBAM
from .se import SqueezeExcitation
from .spatial import SpatialAttention

ATTENTIONS = {'se': SqueezeExcitation, 'cbam': CBAM, 'bam': BAM}
"""Name -> HybridBlock class, made with the channels and the attention's options; maps (N, C, H, W) to the same."""

__all__ = ['ATTENTIONS', 'BAM', 'CBAM', 'ChannelAttention', 'ModifiedCBAM', 'SpatialAttention', 'SqueezeExcitation']
