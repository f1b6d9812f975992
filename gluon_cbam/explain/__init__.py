"""Explanations of networks: attention maps and Grad-CAM, and how well such maps localize objects.

Its four packages may each import those before them: ``maps`` computes maps of a batch, ``localization`` scores them
against masks of the objects, ``images`` explains image files, ``figures`` draws the explanations. Networks are traced
as separate symbols, so that a network, its hybridized graph, outputs, gradients and running statistics do not change.
Occlusion and RISE only run a network: with them, exported files are explained without mxnet. The package may import
``inference``, ``tasks``, ``models``, ``data``, ``attention``, ``compat`` and ``common``.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from gluon_cbam.compat.renamed import renamed_attributes

if TYPE_CHECKING:
    from .localization.metrics import LocalizationMetrics, LocalizationScores
    from .maps.attention import AttentionMaps, attention_maps
    from .maps.box_cam import BoxMap, box_maps
    from .maps.class_maps import ClassMaps
    from .maps.grad_cam import METHODS, grad_cam
    from .maps.grid import Grid, upsample_map
    from .maps.pair_cam import PairMaps, pair_grad_cam
    from .maps.perturbation import perturbation_maps

# public name -> the module that defines it, imported on first use: some import mxnet
_LAZY = {
    'METHODS': 'maps.grad_cam',
    'AttentionMaps': 'maps.attention',
    'BoxMap': 'maps.box_cam',
    'ClassMaps': 'maps.class_maps',
    'Grid': 'maps.grid',
    'LocalizationMetrics': 'localization.metrics',
    'LocalizationScores': 'localization.metrics',
    'PairMaps': 'maps.pair_cam',
    'attention_maps': 'maps.attention',
    'box_maps': 'maps.box_cam',
    'grad_cam': 'maps.grad_cam',
    'pair_grad_cam': 'maps.pair_cam',
    'perturbation_maps': 'maps.perturbation',
    'upsample_map': 'maps.grid',
}
__all__ = [
    'METHODS',
    'AttentionMaps',
    'BoxMap',
    'ClassMaps',
    'Grid',
    'LocalizationMetrics',
    'LocalizationScores',
    'PairMaps',
    'attention_maps',
    'box_maps',
    'grad_cam',
    'pair_grad_cam',
    'perturbation_maps',
    'upsample_map',
]
_renamed = renamed_attributes(
    __name__,
    {
        'Agreement': 'explain.LocalizationMetrics',
        'GradCAM': 'explain.ClassMaps',
        'Scores': 'explain.LocalizationScores',
        'spread': 'explain.upsample_map',
    },
)


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        return _renamed(name)
    globals()[name] = value = getattr(import_module(f'.{_LAZY[name]}', __name__), name)
    return value
