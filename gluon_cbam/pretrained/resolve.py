"""Resolve the name of a model and the arguments given with it to one record.

Every command and every function that takes the name of a model with weights calls :func:`resolve`. Each value is taken
from the first of these that has it:

1. the argument of the call, for instance ``classes`` or an entry of ``options``;
2. the card of the weights, which also names the model where the call does not;
3. the model's row in :mod:`gluon_cbam.models.variants`, and for options the defaults of its family;
4. for classes, :func:`gluon_cbam.models.registry.default_classes`.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Dict, List, Mapping, NoReturn, Optional, Tuple, Union

import mxnet as mx

from gluon_cbam import models, weights, zoo
from gluon_cbam.common.errors import DataError, UsageError
from gluon_cbam.common.files import PathLike, sha256
from gluon_cbam.common.image_size import ImageSize
from gluon_cbam.common.quoting import shown
from gluon_cbam.data.class_names import ClassNames
from gluon_cbam.data.loading.preprocessing import CHANNELS, Preprocessing
from gluon_cbam.models.registry import backbone_of, check_options, default_classes, option_names, plain_network
from gluon_cbam.models.variants import Variant
from gluon_cbam.weights.assignment import Contexts

from . import locate
from .backbone import copy_backbone, starts_from_backbone
from .input_sizes import input_sizes

_log = logging.getLogger('gluon_cbam.weights')


@dataclass(frozen=True)
class ResolvedModel:
    """A model with everything that belongs to it; nothing is built yet.

    Attributes:
        name: the name of the model.
        variant: its row.
        options: the options that differ from the defaults of its family.
        classes: number of outputs.
        class_names: the names of the classes, in the order of the outputs; None where they are not known, or are of
            other classes.
        preprocessing: the preprocessing of images that the weights expect.
        params: the parameter file; None for random weights.
        card: the card of the parameter file; None without one.
        params_sha256: SHA-256 of the parameter file; None for random weights.
        source: the weights as they were given, or the tag of the default weights; None for random weights.
        plain: the model without attention that the weights are of, where this one extends it; else None.
        backbone: the record of the backbone of a detector, which starts from its weights; else None.
    """

    name: str
    variant: Variant
    options: Dict[str, Any]
    classes: int
    class_names: Optional[List[str]]
    preprocessing: Preprocessing
    params: Optional[Path] = None
    card: Optional[zoo.Card] = None
    params_sha256: Optional[str] = None
    source: Optional[str] = None
    plain: Optional[str] = None
    backbone: Optional[ResolvedModel] = None

    @property
    def named_classes(self) -> ClassNames:
        """The names of the classes with the file that has them, to compare them with those of data."""
        where = locate.card_path(self.params) if self.params and self.card else self.params or self.name
        return ClassNames(str(where), self.class_names, self.classes)

    def build(self) -> mx.gluon.HybridBlock:
        """Build the network, not initialized.

        Returns:
            The network, which maps (N, in_channels, H, W) to (N, classes).

        Raises:
            UsageError: an option is unknown or its value does not fit.
            DataError: the value of an option in the card does not fit.
        """
        try:
            return models.build(self.name, classes=self.classes, **self.options)
        except Exception as error:  # constructors and MXNet raise errors of many classes
            if self.card is None or self.params is None or self.options != self.card.options:
                raise
            last = (str(error).strip().splitlines() or [type(error).__name__])[-1]
            raise DataError(
                f'{locate.card_path(self.params)}: options {shown(self.options)} do not fit {self.name}: {last}'
            ) from error

    def initialize(self, net: mx.gluon.HybridBlock, ctx: Optional[Contexts] = None, strict: bool = True) -> None:
        """Initialize a network that :meth:`build` made: with the parameters of the file, else randomly.

        Args:
            net: the network, not initialized.
            ctx: one context or a list of them; default the CPU.
            strict: whether all parameters must fit. Otherwise those that depend on the number of classes or of input
                channels may differ: these are initialized randomly, and the log lists them. Weights of the network
                without attention also need False: the parameters of the attention are initialized randomly.

        Raises:
            DataError: the file is damaged or does not fit.
        """
        if self.params is None:
            net.initialize(ctx=ctx)
        elif self.backbone:
            self._start_from(self.backbone, net, ctx)
        elif strict:
            weights.load(net, self.params, ctx)
        else:
            added = self._added(net)
            new = weights.load_for_fine_tuning(net, self.params, ctx, added)
            if self.plain:
                loaded = len(net._collect_params_with_prefix()) - len(added) - len(new)
                _log.info(
                    '%d parameters are from %s (%s), %d of the attention start anew', loaded, self.plain, self.source,
                    len(added),
                )  # fmt: skip

    def _start_from(self, backbone: ResolvedModel, net: mx.gluon.HybridBlock, ctx: Optional[Contexts]) -> None:
        """Initialize a detector with the weights of its backbone."""
        source = backbone.build()
        backbone.initialize(source, strict=False)
        net.initialize(ctx=ctx)
        count = len(copy_backbone(source, net))
        new = len(net._collect_params_with_prefix()) - count
        _log.info('%d parameters of the backbone are from %s, %d others start anew', count, backbone.source, new)

    def _added(self, net: mx.gluon.HybridBlock) -> List[str]:
        """The names of the parameters that the network has in addition to the one without attention."""
        if self.plain is None:
            return []
        known = option_names(self.plain)
        options = {name: value for name, value in self.options.items() if name in known}
        plain = models.build(self.plain, classes=self.classes, **options)._collect_params_with_prefix()
        return [name for name in net._collect_params_with_prefix() if name not in plain]

    def started_from(self) -> Optional[Dict[str, Optional[str]]]:
        """Return ``started_from`` for cards of networks that are trained from these weights; None for random ones."""
        if self.params is None:
            return None
        started = {'source': self.source, 'sha256': self.params_sha256}
        other = self.plain or (self.backbone and (self.backbone.plain or self.backbone.name))
        return {**started, 'network': other} if other else started


def resolve(
    name: Optional[str] = None,
    params: Optional[PathLike] = None,
    pretrained: Union[bool, str] = False,
    classes: Optional[int] = None,
    options: Optional[Mapping[str, Any]] = None,
    image_size: Optional[ImageSize] = None,
    crop_ratio: Optional[float] = None,
    resize: Optional[str] = None,
    root: Optional[PathLike] = None,
    progress: Optional[locate.Progress] = None,
    from_plain: bool = False,
) -> ResolvedModel:
    """Merge the arguments, the card of the weights and the row of the model, in the order of precedence above.

    Args:
        name: the name of the model, one of :func:`gluon_cbam.list_models`; default the one on the card of the weights.
        params: a parameter file or a run folder.
        pretrained: True for the default weights of that name, a tag, a parameter file or a run folder. With neither
            this nor ``params``, weights are random.
        classes: number of outputs.
        options: the options of the model's family.
        image_size: the side of square inputs in pixels, or height and width.
        crop_ratio: ``image_size`` over the size before the crop.
        resize: how an image becomes one of this size, one of :data:`gluon_cbam.data.loading.preprocessing.RESIZES`.
        root: folder of the store of published weights; default see :func:`gluon_cbam.zoo.location.root_of`.
        progress: is called while a file is downloaded, see :func:`gluon_cbam.zoo.get`.
        from_plain: whether ``pretrained`` may be weights of the network without attention, see
            :func:`gluon_cbam.models.registry.plain_network`, or its name for its default weights; and whether a
            detector may start from those of its backbone.

    Returns:
        The record. The parameter file is on this machine and was compared with its card.

    Raises:
        UsageError: an unknown name, option or weights, both ``params`` and ``pretrained``, or nothing says which model.
        DataError: the weights are damaged, or of another model.
        TransferError: published weights could not be downloaded.
    """
    if name:
        check_options(name, options or {})  # before a download
    if params and pretrained:
        raise UsageError(f'params {params!r} and pretrained {pretrained!r} exclude each other: give one')
    if name and from_plain and starts_from_backbone(name, pretrained, root):
        record = _on_backbone(name, pretrained, options or {}, root, progress)
        return replace(
            record, classes=record.classes if classes is None else classes,
            preprocessing=_changed(record.preprocessing, image_size=image_size, crop_ratio=crop_ratio, resize=resize),
        )  # fmt: skip
    other = plain_network(name) if from_plain and name else None
    name, (path, card) = _weights(name, params, pretrained, options or {}, root, progress, other)
    plain = other if other and path and _is_plain(path, card, name) else None
    row = models.variant(name)
    preprocessing = Preprocessing.from_dict(card.preprocessing) if card else Preprocessing.of(row)
    image_size, head_size = input_sizes(name, options or {}, card.options if card else None, image_size)
    if classes is None:
        classes = card.classes if card else default_classes(name)
    all_options = {**(card.options if card else {}), **(options or {}), **head_size}
    preprocessing = _of_channels(preprocessing, all_options)
    return ResolvedModel(
        name=name,
        variant=row,
        options=all_options,
        classes=classes,
        class_names=card.class_names if card and card.classes == classes else None,
        preprocessing=_changed(preprocessing, image_size=image_size, crop_ratio=crop_ratio, resize=resize),
        params=path,
        card=card,
        # the hash on the card was compared with the file already
        params_sha256=card.sha256 if card else sha256(path) if path else None,
        source=_source(params, pretrained, card, plain),
        plain=plain,
    )


def _on_backbone(
    name: str,
    pretrained: Union[bool, str],
    options: Mapping[str, Any],
    root: Optional[PathLike],
    progress: Optional[locate.Progress],
) -> ResolvedModel:
    """The record of a detector that starts from the weights of its backbone: their options and normalization."""
    network, given = backbone_of(name, options)
    backbone = resolve(network, None, pretrained, options=given, root=root, progress=progress, from_plain=True)
    row, card = models.variant(name), backbone.preprocessing
    known = option_names(name)
    return ResolvedModel(
        name=name,
        variant=row,
        options={**{key: value for key, value in backbone.options.items() if key in known}, **options},
        classes=default_classes(name),
        class_names=None,
        preprocessing=replace(Preprocessing.of(row), mean=card.mean, std=card.std),
        params=backbone.params,
        params_sha256=backbone.params_sha256,
        source=backbone.source,
        backbone=backbone,
    )


def _of_channels(preprocessing: Preprocessing, options: Mapping[str, Any]) -> Preprocessing:
    """A preprocessing of as many channels as the network has; as it is for networks of other inputs than images."""
    channels = options.get('in_channels', 3)
    return preprocessing.of_channels(channels) if channels in CHANNELS else preprocessing


def _changed(preprocessing: Preprocessing, **given: Any) -> Preprocessing:
    """A preprocessing with other attributes, where these are not None."""
    return replace(preprocessing, **{key: value for key, value in given.items() if value is not None})


def pretrained_of_flag(value: Optional[str]) -> Union[bool, str]:
    """Translate the flag ``--pretrained [TAG]`` to the argument ``pretrained``.

    Args:
        value: None without the flag; the empty text for the flag without a value.

    Returns:
        False, True or the value.
    """
    return False if value is None else value or True


def network_of(params: Optional[PathLike] = None, pretrained: Union[bool, str] = False) -> str:
    """The name of the model that weights are of, from their card; nothing is downloaded.

    Args:
        params: see :func:`resolve`.
        pretrained: see :func:`resolve`.

    Raises:
        UsageError: there are no such weights, or no card says which model they are of.
        DataError: the card is damaged.
    """
    return card_of(params, pretrained).network


def card_of(
    params: Optional[PathLike] = None, pretrained: Union[bool, str] = False, name: Optional[str] = None
) -> Union[zoo.Card, zoo.Published]:
    """The card of weights; nothing is downloaded.

    Args:
        params: see :func:`resolve`.
        pretrained: see :func:`resolve`.
        name: name of the model that they must be of; default any.

    Raises:
        UsageError: there are no such weights, or they have no card.
        DataError: the card is damaged, or of another model.
    """
    file = locate.file_named(params, pretrained)
    if not file and pretrained:
        return locate.published(name, pretrained)
    card = locate.of_file(file, name).card if file else None
    return card or _no_card(file)


def _weights(
    name: Optional[str],
    params: Optional[PathLike],
    pretrained: Union[bool, str],
    options: Mapping[str, Any],
    root: Optional[PathLike],
    progress: Optional[locate.Progress],
    plain: Optional[str],
) -> Tuple[str, locate.Weights]:
    """The name of the model, and the parameter file with its card."""
    file = locate.file_named(params, pretrained)
    if file or not pretrained:
        found = locate.of_file(file, name, None if params else plain) if file else locate.Weights()
        name = _named(name, found, file)
        check_options(name, options)
        return name, found
    card = locate.published(name, pretrained, root, plain)
    name = name or card.network
    check_options(name, options)  # before a download
    return name, locate.downloaded(card, root, progress)


def _named(name: Optional[str], found: locate.Weights, file: Optional[PathLike]) -> str:
    """The name of the model: as given, else from the card of the weights."""
    return name or (found.card or _no_card(file)).network


def _no_card(file: Optional[PathLike]) -> NoReturn:
    why = f'{file} has no card that names it' if file else 'no weights name it'
    weights_with_card = 'weights with a card: --params RUN, --pretrained NETWORK or TAG'
    raise UsageError(f'--network is needed, {why}: give --network NAME, or {weights_with_card}')


def _is_plain(path: Path, card: Optional[zoo.Card], name: str) -> bool:
    """Whether a file is of the network without attention: by its card, else by the names in it."""
    if card:
        return card.network != name
    return not any('attention' in part for key in weights.read_arrays(path) for part in key.split('.'))


def _source(
    params: Optional[PathLike], pretrained: Union[bool, str], card: Optional[zoo.Card], plain: Optional[str]
) -> Optional[str]:
    """The weights as they were given, or the tag of the default weights."""
    if card and (pretrained is True or pretrained == plain and card.tag):
        return card.tag
    return str(params or pretrained) if params or pretrained else None
