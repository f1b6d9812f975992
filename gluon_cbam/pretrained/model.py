"""Models by name, optionally with weights: ``gluon_cbam.get_model`` and ``gluon_cbam.features``."""

from __future__ import annotations

import warnings
from typing import Any, Dict, Optional, Sequence, Union

import mxnet as mx

from gluon_cbam.common.errors import UsageError
from gluon_cbam.common.files import PathLike
from gluon_cbam.models.features import Features
from gluon_cbam.weights.assignment import Contexts

from .resolve import resolve

_OF_CLASSES = ('num_classes', 'num_class', 'n_classes', 'n_class', 'nclass', 'nb_classes')
"""What other packages call ``classes``."""


def get_model(
    name: str,
    pretrained: Union[bool, str] = False,
    classes: Optional[int] = None,
    ctx: Optional[Contexts] = None,
    root: Optional[PathLike] = None,
    **options: Any,
) -> mx.gluon.HybridBlock:
    """Build a model by name, and optionally load weights.

    Args:
        name: one of :func:`gluon_cbam.list_models`.
        pretrained: False for a network that is not initialized yet; True for the default weights of that name; a
            weight's tag; or a path to a parameter file or a run folder. A network with attention also starts from the
            weights of the network without: ``get_model('cbam_resnet50', pretrained='resnet50')``, or a tag, file or
            run of it. Each of its parameters is set, and those of the attention are newly initialized; with the option
            ``gate='identity'``, the outputs stay those of the network without attention until it is trained.
        classes: outputs of the last layer; default those of the pretrained weights, else 1000. With pretrained weights
            of another number of classes, or with another ``in_channels``, parameters that do not fit are newly
            initialized, and a warning lists them. ``num_classes`` and other names for it are understood, with a
            warning.
        ctx: the contexts on which pretrained parameters are put: one context or a list; default the CPU.
        root: folder of the store of published weights; default see :func:`gluon_cbam.zoo.location.root_of`.
        **options: options of the model's family, for instance ``reduction`` or ``bottleneck_stride``; default those of
            the pretrained weights, else of the family.

    Returns:
        The network, which maps (N, in_channels, H, W) float32 to logits (N, classes), or to embeddings.

    Raises:
        UsageError: unknown name, option or weights; a ValueError, with the closest known names.
        DataError: the parameter file is damaged or does not fit.
        TransferError: published weights that are not in the store could not be downloaded.
    """
    classes = _classes_of(classes, options)
    model = resolve(name, pretrained=pretrained, classes=classes, options=options, root=root, from_plain=True)
    net = model.build()
    if model.params:
        model.initialize(net, ctx, strict=False)
    return net


def _classes_of(classes: Optional[int], options: Dict[str, Any]) -> Optional[int]:
    """``classes``, also where it is given under another name, which is removed from the options."""
    for other in _OF_CLASSES:
        if other not in options:
            continue
        value = options.pop(other)
        if classes not in (None, value):
            raise UsageError(f'classes={classes!r} and {other}={value!r} contradict each other: use classes=')
        warnings.warn(f'{other}={value!r} is taken as classes={value!r}: use classes=', UserWarning, stacklevel=3)
        classes = value
    return classes


def features(
    network: Union[str, mx.gluon.HybridBlock], out_indices: Optional[Sequence[int]] = None, **options: Any
) -> Features:
    """Build a model as a backbone that gives the maps of its stages.

    Args:
        network: the name of a model, or a network of this package.
        out_indices: stages from 0, from the last one with negative numbers; default all.
        **options: the further arguments of :func:`get_model`, where ``network`` is a name.

    Returns:
        The backbone; see :class:`gluon_cbam.models.features.Features`.

    Raises:
        ValueError: the network has no such stage, or options are given with a network that is built already.

    Example:
        >>> backbone = gluon_cbam.features('cbam_resnet50', out_indices=(1, 2, 3))
        >>> backbone.channels, backbone.strides
        ((512, 1024, 2048), (8, 16, 32))
    """
    if isinstance(network, str):
        network = get_model(network, **options)
    elif options:
        raise ValueError(f'options such as {sorted(options)[0]!r} go with the name of a network, not with a network')
    return Features(network, out_indices)
