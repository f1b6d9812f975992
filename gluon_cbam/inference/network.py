"""A network with weights, ready to use: how ``validate`` and ``predict`` come by theirs."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Callable, Dict, List, Optional, Sequence, Union

import mxnet as mx

from gluon_cbam import weights
from gluon_cbam.common.errors import UsageError
from gluon_cbam.common.files import PathLike, sha256
from gluon_cbam.data.loading.preprocessing import Preprocessing
from gluon_cbam.models import get_model, variant
from gluon_cbam.models.features import Features
from gluon_cbam.pretrained import locate


@dataclass(frozen=True)
class LoadedNetwork:
    """A network and what belongs to it.

    Attributes:
        net: hybridized, on its contexts.
        name: of the network.
        classes: outputs.
        class_names: in the order of the outputs, or None.
        preprocessing: that its weights want.
        params_sha256: of the parameter file; None for random weights.
        options: that the network was built with.
    """

    net: mx.gluon.HybridBlock
    name: str
    classes: int
    class_names: Optional[List[str]]
    preprocessing: Preprocessing
    params_sha256: Optional[str]
    options: Dict[str, Any] = field(default_factory=dict)


def load_network(
    network: str,
    ctx: List[mx.Context],
    params: Optional[str] = None,
    pretrained: Union[bool, str] = False,
    classes: Optional[int] = None,
    image_size: Optional[int] = None,
    crop_ratio: Optional[float] = None,
    options: Optional[Dict[str, Any]] = None,
    root: Optional[PathLike] = None,
    progress: Optional[Callable[[int, Optional[int]], None]] = None,
    features: Optional[Sequence[int]] = None,
) -> LoadedNetwork:
    """Build a network and load its weights.

    What is not given is taken from the card of the weights, and without a card from the network's row.

    Args:
        network: its name.
        ctx: the contexts.
        params: a parameter file or a run folder.
        pretrained: True or a tag of published weights. Without either, weights are random.
        classes: outputs.
        image_size: height and width of the input in pixels.
        crop_ratio: ``image_size`` over the short side before the crop.
        options: of the network.
        root: of the store of published weights, as of :func:`gluon_cbam.zoo.get`.
        progress: of a download, as of :func:`gluon_cbam.zoo.get`.
        features: stages whose maps the network gives instead of logits, as of :class:`gluon_cbam.models.Features`.

    Raises:
        UsageError: an unknown name, or both ``params`` and ``pretrained``.
        DataError: the weights are damaged or do not fit.
        TransferError: published weights could not be downloaded.
    """
    row = variant(network)
    path, card = _locate(network, params, pretrained, root, progress)
    preprocessing = Preprocessing.of(row)
    if card:
        preprocessing = Preprocessing.from_dict(card.preprocessing)
        classes = classes or card.classes
        options = {**card.options, **(options or {})}
    changes = {'image_size': image_size, 'crop_ratio': crop_ratio}
    preprocessing = replace(preprocessing, **{name: value for name, value in changes.items() if value is not None})
    net = get_model(network, classes=classes or 1000, **(options or {}))
    if path:
        weights.load(net, path, ctx)
    else:
        net.initialize(ctx=ctx)
    if features is not None:
        net = Features(net, features)
    net.hybridize(static_alloc=True, static_shape=True)
    # the hash of a card was compared with the file's a moment ago
    digest = card.sha256 if card else sha256(path) if path else None
    return LoadedNetwork(
        net=net,
        name=network,
        classes=classes or 1000,
        class_names=card.class_names if card else None,
        preprocessing=preprocessing,
        params_sha256=digest,
        options=dict(options or {}),
    )


def _locate(network, params, pretrained, root, progress) -> locate.Weights:
    if params and pretrained:
        raise UsageError(f'params {params!r} and pretrained {pretrained!r} exclude each other: give one')
    if params:
        return locate.of_file(params, network)
    return locate.locate(network, pretrained, root, progress) if pretrained else locate.Weights()
