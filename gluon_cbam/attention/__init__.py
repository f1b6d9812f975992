"""Attention modules. One file a module; each maps (N, C, H, W) to (N, C, H, W) or to a gate.

:mod:`.attach` inserts them into networks of other packages. It may import ``ops`` and ``common``.
"""

from .bam import BAM
from .cbam import CBAM
from .channel import ChannelAttention
from .modified import ModifiedCBAM
from .se import SqueezeExcitation
from .spatial import SpatialAttention

ATTENTIONS = {'se': SqueezeExcitation, 'cbam': CBAM, 'bam': BAM}
"""Name -> HybridBlock class, called with the channels and the attention's options; maps (N, C, H, W) to the same."""

__all__ = ['ATTENTIONS', 'BAM', 'CBAM', 'ChannelAttention', 'ModifiedCBAM', 'SpatialAttention', 'SqueezeExcitation']
