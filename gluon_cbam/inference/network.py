"""Load a network with its weights, ready to use."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Callable, Dict, List, Optional, Sequence, Union

import mxnet as mx

from gluon_cbam.common.files import PathLike
from gluon_cbam.common.image_size import ImageSize
from gluon_cbam.data.class_names import ClassNames
from gluon_cbam.data.loading.preprocessing import Preprocessing
from gluon_cbam.models.features import Features
from gluon_cbam.pretrained.resolve import resolve
from gluon_cbam.tasks import Task, get_task

_MADE_FOR = {'detects': 'detection', 'segments': 'segmentation'}  # attribute of a network -> its task


@dataclass(frozen=True)
class LoadedNetwork:
    """A network and what belongs to it.

    Attributes:
        net: the network, hybridized, on its contexts. Its parameters take no gradients (``grad_req`` is ``null``).
        name: the name of the network.
        classes: number of outputs.
        class_names: the names of the classes, in the order of the outputs, or None.
        preprocessing: the preprocessing that its weights expect.
        params_sha256: the SHA-256 of the parameter file; None for random weights.
        options: the options that the network was built with.
        task: the task that it was trained for.
        names_from: the file that ``class_names`` are from, for messages.
    """

    net: mx.gluon.HybridBlock
    name: str
    classes: int
    class_names: Optional[List[str]]
    preprocessing: Preprocessing
    params_sha256: Optional[str]
    options: Dict[str, Any] = field(default_factory=dict)
    task: Task = field(default_factory=get_task)
    names_from: str = ''

    @property
    def named_classes(self) -> ClassNames:
        """The names of the classes with the file that has them, to compare them with those of data."""
        return ClassNames(self.names_from or self.name, self.class_names, self.classes)


def load_network(
    network: Optional[str],
    ctx: List[mx.Context],
    params: Optional[str] = None,
    pretrained: Union[bool, str] = False,
    classes: Optional[int] = None,
    image_size: Optional[ImageSize] = None,
    crop_ratio: Optional[float] = None,
    resize: Optional[str] = None,
    options: Optional[Dict[str, Any]] = None,
    root: Optional[PathLike] = None,
    progress: Optional[Callable[[int, Optional[int]], None]] = None,
    features: Optional[Sequence[int]] = None,
    task: Optional[str] = None,
    label_index: Optional[int] = None,
) -> LoadedNetwork:
    """Build a network and load its weights.

    Values that are not given are taken from the sources that :mod:`gluon_cbam.pretrained.resolve` lists.

    Args:
        network: its name; None for the one on the card of the weights.
        ctx: the contexts.
        params: a parameter file or a run directory.
        pretrained: True or a tag of published weights. Without either, weights are random.
        classes: number of outputs.
        image_size: the side of square inputs in pixels, or height and width.
        crop_ratio: ``image_size`` over the size before the crop.
        resize: how an image becomes one of this size, one of :data:`gluon_cbam.data.loading.preprocessing.RESIZES`.
        options: the options of the network.
        root: folder of the store of published weights, see :func:`gluon_cbam.zoo.get`.
        progress: is called while a file is downloaded, see :func:`gluon_cbam.zoo.get`.
        task: the task that the weights are for; default their card's, else the one that the network is made for:
            detection, segmentation, or classification for other networks.
        label_index: the label that the task uses of records with several; see :meth:`.Task.with_label_index`.
        features: stages whose maps the network gives instead of logits, see
            :class:`gluon_cbam.models.features.Features`.

    Raises:
        UsageError: an unknown name, or both ``params`` and ``pretrained``.
        ValueError: the network does not take images of this size.
        DataError: the weights are damaged or do not fit.
        TransferError: published weights could not be downloaded.
    """
    model = resolve(
        network, params, pretrained, classes or None, options, image_size, crop_ratio, resize, root, progress
    )
    net = model.build()
    net.check_input((1, net._in_channels or 3, *model.preprocessing.shape))
    net.collect_params().setattr('grad_req', 'null')  # gradients would take as much memory as the parameters
    model.initialize(net, ctx)
    task = task or (model.card.task if model.card else None) or _task_of(net)
    if features is not None:
        net = Features(net, features)
    net.hybridize(static_alloc=True, static_shape=True)
    return LoadedNetwork(
        net=net,
        name=model.name,
        classes=model.classes,
        class_names=model.class_names,
        preprocessing=model.preprocessing,
        params_sha256=model.params_sha256,
        options=model.options,
        task=get_task(task).with_label_index(label_index),
        names_from=model.named_classes.where,
    )


def _task_of(net: mx.gluon.HybridBlock) -> Optional[str]:
    """The task that a network is made for; None for the default."""
    return next((task for attribute, task in _MADE_FOR.items() if getattr(net, attribute, False)), None)
