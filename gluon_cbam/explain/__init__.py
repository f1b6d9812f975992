"""Explanations of networks: attention maps and Grad-CAM, and how well such maps localize objects.

Its four packages may each import those before them: ``maps`` computes maps of a batch, ``localization`` scores them
against masks of the objects, ``images`` explains image files, ``figures`` draws the explanations. Networks are traced
as separate symbols, so that a network, its hybridized graph, outputs, gradients and running statistics do not change.
The package may import ``inference``, ``tasks``, ``data``, ``attention``, ``compat`` and ``common``.
"""

from gluon_cbam.compat.renamed import renamed_attributes

from .localization.metrics import LocalizationMetrics, LocalizationScores
from .maps.attention import AttentionMaps, attention_maps
from .maps.grad_cam import METHODS, GradCAM, grad_cam
from .maps.grid import Grid, upsample_map

__all__ = [
    'METHODS',
    'AttentionMaps',
    'GradCAM',
    'Grid',
    'LocalizationMetrics',
    'LocalizationScores',
    'attention_maps',
    'grad_cam',
    'upsample_map',
]

__getattr__ = renamed_attributes(
    __name__,
    {
        'Agreement': 'explain.LocalizationMetrics',
        'Scores': 'explain.LocalizationScores',
        'spread': 'explain.upsample_map',
    },
)
