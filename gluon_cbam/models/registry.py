"""Models by name: their rows, their options, and the builder, which never loads weights."""

from __future__ import annotations

from dataclasses import asdict
from fnmatch import fnmatchcase
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any, Dict, Iterable, List, Mapping, Optional, Tuple

from gluon_cbam.common.errors import UsageError, closest
from gluon_cbam.common.files import PathLike
from gluon_cbam.common.natural_sort import naturally_sorted
from gluon_cbam.compat.renamed import renamed_attributes

from .variants import VARIANTS, Variant

if TYPE_CHECKING:
    import mxnet as mx

DEFAULT_CLASSES = 1000
"""The default number of outputs of classification, the classes of ImageNet-1K."""
DEFAULT_LEARNING_RATE = 0.1
"""The default learning rate of models whose rows have none, that of SGD in He et al., CVPR 2016."""


def list_models(pattern: Optional[str] = None, pretrained: bool = False, root: Optional[PathLike] = None) -> List[str]:
    """List the names of the models, naturally sorted.

    Args:
        pattern: a shell pattern such as ``cbam_*``, or the beginning of names such as ``cbam_resnet``; default all
            names.
        pretrained: whether to list only models with published weights: those of this package and of the registries in
            CBAM_ZOO_REGISTRY, and those in the store.
        root: folder of the store, see :func:`gluon_cbam.zoo.location.root_of`.

    Returns:
        The names that :func:`gluon_cbam.get_model` takes.

    Raises:
        CbamError: see :func:`gluon_cbam.zoo.cards`.
    """
    pattern = pattern or '*'
    if not set(pattern) & set('*?['):
        pattern += '*'
    names = [name for name in VARIANTS if fnmatchcase(name, pattern)]
    if pretrained:
        from gluon_cbam.zoo import cards  # on use, for a fast start

        published = {card.network for card in cards(root=root)}
        names = [name for name in names if name in published]
    return naturally_sorted(names)


def variant(name: str) -> Variant:
    """Look up the row of a model.

    Args:
        name: one of :func:`list_models`.

    Returns:
        The row of :data:`.variants.VARIANTS`.

    Raises:
        UsageError: no model has this name; the message names the closest.
    """
    try:
        return VARIANTS[name]
    except KeyError:
        raise UsageError(f'unknown network {name!r}: {closest(name, VARIANTS)}') from None


def plain_network(name: str) -> Optional[str]:
    """Look up the network without attention that a network with attention extends.

    Args:
        name: one of :func:`list_models`.

    Returns:
        The model whose row differs by its attention alone, which is None: ``resnet50`` for ``cbam_resnet50``. Its
        parameters have the same names and shapes in both. None if there is no such model.

    Raises:
        UsageError: no model has this name.
    """
    row = variant(name)
    if getattr(row, 'attention', None) is None:
        return None
    same = (each for each in VARIANTS.values() if type(each) is type(row))
    return next(
        (each.name for each in same if asdict(each) == {**asdict(row), 'name': each.name, 'attention': None}), None
    )


def backbone_of(name: str, options: Mapping[str, Any]) -> Tuple[str, Dict[str, Any]]:
    """Look up the backbone of a detector.

    Args:
        name: a detector, one of :func:`list_models`.
        options: the options of the detector.

    Returns:
        The name of the network, and those of the options that are its own.

    Raises:
        UsageError: no model has this name.
        ValueError: an option does not fit.
    """
    row = variant(name)
    return family(row).backbone_of(row, options)


def option_names(name: str) -> List[str]:
    """List the options that :func:`build` takes for a model.

    Args:
        name: one of :func:`list_models`.

    Returns:
        The names of the options, in the order of the constructor.

    Raises:
        UsageError: no model has this name.
    """
    row = variant(name)
    return family(row).options(row)


def check_options(name: str, options: Iterable[str]) -> None:
    """Check that a model has options of these names.

    Args:
        name: one of :func:`list_models`.
        options: names of options.

    Raises:
        UsageError: the model or an option is unknown; the message names the closest.
    """
    known = option_names(name)
    for option in options:
        if option not in known:
            raise UsageError(f'{name} has no option {option!r}: {closest(option, sorted(known))}')


def gives_embeddings(name: str, options: Mapping[str, Any]) -> bool:
    """Whether a network gives embeddings instead of logits; nothing is built.

    Args:
        name: one of :func:`list_models`.
        options: options of the model's family.

    Raises:
        UsageError: no model has this name.
    """
    return getattr(variant(name), 'embeds', False) or options.get('embedding') is not None


def build(name: str, classes: Optional[int] = None, **options: Any) -> mx.gluon.HybridBlock:
    """Build the network of a model. Its parameters are not initialized, and no file is read.

    :func:`gluon_cbam.get_model` also loads weights.

    Args:
        name: one of :func:`list_models`.
        classes: outputs of the last layer, or classes of a detector; default :func:`default_classes`; without effect on
            models that give embeddings.
        **options: options of the model's family, one of :func:`option_names`.

    Returns:
        The network, which maps (N, in_channels, H, W) to (N, classes); a detector to detections, see
        :class:`.detection.detector.Detector`.

    Raises:
        UsageError: the model or an option is unknown; the message names the closest.
        ValueError: the value of an option does not fit.
    """
    check_options(name, options)
    row = variant(name)
    return family(row).build(row, classes=default_classes(name) if classes is None else classes, **options)


def default_classes(name: str) -> int:
    """The number of classes that a model has where none is given.

    Args:
        name: one of :func:`list_models`.

    Raises:
        UsageError: no model has this name.
    """
    return getattr(variant(name), 'classes', DEFAULT_CLASSES)


def default_learning_rate(name: str) -> float:
    """The learning rate that a model is trained with where none is given.

    Args:
        name: one of :func:`list_models`.

    Raises:
        UsageError: no model has this name.
    """
    return getattr(variant(name), 'lr', DEFAULT_LEARNING_RATE)


def family(row: Variant) -> ModuleType:
    """The module that builds the networks of a row: ``build(row, **options)`` and ``options(row)``."""
    return import_module(f'.{row.module}', __package__)


__getattr__ = renamed_attributes(
    __name__,
    {
        'get_model': 'pretrained.model.get_model',
    },
)
