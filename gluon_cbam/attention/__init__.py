"""Attention modules. One file a module; each maps (N, C, H, W) to (N, C, H, W) or to a gate."""

from .cbam import CBAM
from .channel import ChannelAttention
from .spatial import SpatialAttention

__all__ = ['CBAM', 'ChannelAttention', 'SpatialAttention']
