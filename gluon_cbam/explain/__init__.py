"""What a network looks at: the gates of its attention, and Grad-CAM; and how well maps agree with objects' masks.

Everything works on the network's graph as symbols, which is another one than a hybridized network keeps: the network,
its outputs, gradients and running statistics stay as they are.
"""

from .localization.metrics import Agreement, Scores
from .maps.attention import AttentionMaps, attention_maps
from .maps.grad_cam import METHODS, GradCAM, grad_cam
from .maps.grid import Grid, spread

__all__ = [
    'METHODS',
    'Agreement',
    'AttentionMaps',
    'GradCAM',
    'Grid',
    'Scores',
    'attention_maps',
    'grad_cam',
    'spread',
]
