"""Cards: the metadata of weights, with network, preprocessing, hashes, metrics and source.

:class:`Card` is the JSON file next to a parameter file, in a run directory or in the store.
:class:`Published` is a card of the zoo, a YAML file in ``zoo/cards`` or in a registry. It also states the upstream
file, which may have to be converted.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any, Dict, List, Mapping, Optional, Tuple, Type, TypeVar

from gluon_cbam.common.limits import MAX_CLASSES
from gluon_cbam.data.loading.preprocessing import Preprocessing

from .conditions import (
    MAX_BYTES,
    check,
    check_bytes,
    check_hash,
    check_options,
    is_plain_name,
    is_safe_member,
    is_url,
)
from .schema import decode

_C = TypeVar('_C', bound='_CardFields')

BUILT_IN = 'built-in'
"""The registry of the cards of this package."""

_ARCHIVE_OVERHEAD = 1 << 20  # bytes of the lists of an archive, and of its smaller members
CONVERSIONS = ('official', 'imgclsmob')
"""The conversions of upstream files, by the names of ``cbam convert --source``."""


@dataclass(frozen=True)
class Metrics:
    """The accuracy of weights.

    Attributes:
        top1: accuracy in 0..1.
        top5: accuracy in 0..1.
        data: the data set and its split.
        measured_by: ``publisher``: stated by the publisher of the weights, and not verified by this project.
            ``verified``: measured with ``cbam validate`` on the file with the SHA-256 of the card.
        note: remark on how the metrics were measured.
        records: number of records in the validation data.
        data_sha256: SHA-256 of the ``.rec`` file.
        figures: metrics of other tasks than classification, by name.
    """

    top1: Optional[float] = None
    top5: Optional[float] = None
    data: Optional[str] = None
    measured_by: str = 'publisher'
    note: Optional[str] = None
    records: Optional[int] = None
    data_sha256: Optional[str] = None
    figures: Optional[Dict[str, float]] = None

    def __post_init__(self) -> None:
        for name in ('top1', 'top5'):
            value = getattr(self, name)
            check(value is None or 0 <= value <= 1, f'{name} must be an accuracy in 0..1', value)
        check_hash('data_sha256', self.data_sha256, 64)
        check(
            self.measured_by in ('publisher', 'verified'), 'measured_by must be publisher or verified', self.measured_by
        )

    @property
    def values(self) -> Dict[str, float]:
        """All stated metrics by name."""
        accuracies = {'top1': self.top1, 'top5': self.top5}
        return {**{name: value for name, value in accuracies.items() if value is not None}, **(self.figures or {})}

    @staticmethod
    def fields_of(values: Mapping[str, float]) -> Dict[str, Any]:
        """The fields for metrics by name, the inverse of :attr:`values`."""
        own = {name: value for name, value in values.items() if name in ('top1', 'top5')}
        figures = {name: value for name, value in values.items() if name not in own}
        return {**own, 'figures': figures} if figures else own


@dataclass(frozen=True)
class UpstreamSource:
    """The upstream file, which is downloaded: its URLs, hashes and conversion. The field ``original`` of a card.

    Attributes:
        name: name of the unpacked file; its suffix states the format.
        addresses: URLs (http, https or relative to the registry), tried in this order.
        archive: ``zip`` if the URLs give a zip file that contains the upstream file, else ``none``.
        member: name of the file in the zip file; default ``name``.
        sha1: SHA-1 of the unpacked file, if its publisher states it.
        sha256: SHA-256 of the unpacked file, if its publisher states it.
        bytes: size of the unpacked file, if known.
        conversion: one of :data:`CONVERSIONS`; ``none`` for a parameter file of ours. The card then has its hash and
            size.
    """

    name: str
    addresses: Tuple[str, ...] = ()
    archive: str = 'none'
    member: Optional[str] = None
    sha1: Optional[str] = None
    sha256: Optional[str] = None
    bytes: Optional[int] = None
    conversion: str = 'none'

    def __post_init__(self) -> None:
        check(is_plain_name(self.name), 'name must be a plain file name', self.name)
        check(self.archive in ('none', 'zip'), 'archive must be none or zip', self.archive)
        check(self.member is None or is_safe_member(self.member), 'member must be a path inside the zip', self.member)
        check_hash('sha1', self.sha1, 40)
        check_hash('sha256', self.sha256, 64)
        check_bytes(self.bytes)
        known = ('none', *CONVERSIONS)
        check(self.conversion in known, f'conversion must be one of {", ".join(known)}', self.conversion)
        for url in self.addresses:
            check(is_url(url), 'addresses must be http, https or relative, without a password', url)


@dataclass(frozen=True)
class _CardFields:
    """The fields that both kinds of cards have.

    Attributes:
        network: name of the network.
        classes: number of outputs of its last layer.
        preprocessing: fields of :class:`gluon_cbam.data.loading.preprocessing.Preprocessing` by name.
        options: options of the network.
        class_names: names of the classes in the order of the outputs, if known.
        tag: identifier of published weights, ``network.source_data``.
        source: the project or person that made the file.
        licence: license of the file.
        command: the command that made the file.
        task: task of the weights, see :data:`gluon_cbam.tasks.TASKS`; None for classification.
    """

    network: str
    classes: int
    preprocessing: Dict[str, Any]
    options: Dict[str, Any] = field(default_factory=dict)
    class_names: Optional[List[str]] = None
    tag: Optional[str] = None
    source: Optional[str] = None
    licence: Optional[str] = None
    command: Optional[str] = None
    task: Optional[str] = None

    def __post_init__(self) -> None:
        check(0 <= self.classes <= MAX_CLASSES, f'classes must be in 0..{MAX_CLASSES}', self.classes)
        check_options(self.options)
        if self.class_names is not None and self.task is None:
            named = len(self.class_names)
            check(named == self.classes, f'class_names must be as many as the {self.classes} classes', named)

    def as_dict(self) -> Dict[str, Any]:
        """The fields that are set, by name, as values for JSON and YAML."""
        return _set_fields(self)

    @classmethod
    def from_dict(cls: Type[_C], values: Any, where: str) -> _C:
        """Make a card from the parsed content of a file, the inverse of :meth:`as_dict`.

        Args:
            values: the content, a mapping.
            where: path or URL of the file, for messages.

        Returns:
            The card.

        Raises:
            DataError: the content is not a valid card; the message names file, field and value.
        """
        return decode(cls, values, where)


@dataclass(frozen=True)
class Card(_CardFields):
    """The card next to a parameter file.

    Attributes:
        sha256: SHA-256 of the parameter file.
        bytes: size of the parameter file.
        metrics: metrics by name, for instance ``top1``, an accuracy in 0..1.
        training: state of the training run that saved the file.
        averaged: decay of the EMA of the parameters; None without EMA.
        started_from: ``source`` and ``sha256`` of the initial weights of the training.
        provenance: the upstream file that it was converted from, with its hash and URL, and the conversion.
    """

    sha256: str = ''
    bytes: int = 0
    metrics: Dict[str, Any] = field(default_factory=dict)
    training: Optional[Dict[str, Any]] = None
    averaged: Optional[float] = None
    started_from: Optional[Dict[str, Any]] = None
    provenance: Optional[Dict[str, Any]] = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.preprocessing:  # exported feature maps, for instance, may have none
            decode(Preprocessing, self.preprocessing, self.tag or self.network, 'preprocessing.')
        check_hash('sha256', self.sha256, 64)
        check_bytes(self.bytes)


@dataclass(frozen=True)
class Published(_CardFields):
    """A card of the zoo.

    Attributes:
        tag: ``network.source_data``, unique in all registries.
        default: whether these are the default weights of the network.
        original: the upstream file, which is downloaded.
        sha256: SHA-256 of our parameter file; None until the hash of the converted file is recorded.
        bytes: size of our parameter file.
        metrics: metrics of the weights, and who measured them.
        parameters: number of trainable parameters of the network.
        macs: multiply-adds for one image of the size of the preprocessing.
        recipe: training recipe, or the URL of the training log.
        citation: citation of the paper.
        folder: folder of a local registry, the base of relative URLs.
        registry: path or URL of the registry; :data:`BUILT_IN` for the cards of this package, None if it is not known.
        stored: whether the card is that of a file in the store, and was in no registry.
    """

    tag: str = ''
    default: bool = False
    original: Optional[UpstreamSource] = None
    sha256: Optional[str] = None
    bytes: Optional[int] = None
    metrics: Metrics = field(default_factory=Metrics)
    parameters: Optional[int] = None
    macs: Optional[int] = None
    recipe: Optional[str] = None
    citation: Optional[str] = None
    folder: Optional[str] = field(default=None, compare=False, metadata={'unwritten': True})
    registry: Optional[str] = field(default=None, compare=False, metadata={'unwritten': True})
    stored: bool = field(default=False, compare=False, metadata={'unwritten': True})

    def __post_init__(self) -> None:
        super().__post_init__()
        check(is_plain_name(self.tag), 'tag must be a plain name', self.tag)
        check(self.tag.startswith(f'{self.network}.'), f'tag must begin with {self.network}.', self.tag)
        check(self.classes > 0, 'classes must be positive', self.classes)
        decode(Preprocessing, self.preprocessing, self.tag, 'preprocessing.')
        for name in ('mean', 'std'):  # they have defaults, but a card must state them
            check(name in self.preprocessing, f'preprocessing must have {name}', self.preprocessing)
        check_hash('sha256', self.sha256, 64)
        check_bytes(self.bytes)
        check(0 <= (self.parameters or 0) <= MAX_BYTES, f'parameters must be in 0..{MAX_BYTES}', self.parameters)
        check(
            self.sha256 or self.metrics.measured_by == 'publisher',
            'metrics.measured_by needs the sha256 of what was measured',
            self.metrics.measured_by,
        )
        if self.conversion == 'none':
            check(self.sha256 and self.bytes, 'sha256 and bytes are needed for a file that is not converted', None)
            given = self.original and (self.original.sha1 or self.original.sha256 or self.original.bytes)
            check(not given, 'original.sha256 of a file that is not converted is the sha256 of the card', given)

    @property
    def conversion(self) -> str:
        """The conversion of the upstream file: one of :data:`CONVERSIONS`, or ``none`` for a parameter file of ours."""
        return self.original.conversion if self.original else 'none'

    @property
    def hashes(self) -> Dict[str, str]:
        """The expected hashes of the upstream file by algorithm; empty if its publisher states none."""
        if self.conversion == 'none':
            return {'sha256': self.sha256 or ''}
        return {name: value for name in ('sha1', 'sha256') for value in [getattr(self.original, name)] if value}

    @property
    def upstream_bytes(self) -> Optional[int]:
        """The expected size of the upstream file, if known."""
        return self.original.bytes if self.original and self.conversion != 'none' else self.bytes

    @property
    def max_bytes(self) -> int:
        """The maximum size of the upstream file: its known size, else enough for parameters and optimizer state."""
        return self.upstream_bytes or 12 * (self.parameters or 2**28) + 2**24

    @property
    def max_download(self) -> int:
        """The maximum size of what is downloaded: that of the file, or of an archive that may have packed it badly."""
        packed = self.original is not None and self.original.archive != 'none'
        return self.max_bytes + (self.max_bytes // 100 + _ARCHIVE_OVERHEAD if packed else 0)

    def is_of(self, card: Card) -> bool:
        """Whether a card next to a parameter file is of the file that this card means, by the hashes that are known.

        Args:
            card: the card next to the parameter file.
        """
        if self.sha256:
            return card.sha256 == self.sha256
        return all((card.provenance or {}).get(name) == value for name, value in self.hashes.items())

    def file_card(self, sha256: str, bytes: int, provenance: Dict[str, Any]) -> Card:
        """Make the card that is stored next to the parameter file.

        Args:
            sha256: SHA-256 of the parameter file.
            bytes: size of the parameter file.
            provenance: provenance of the parameter file, see :class:`Card`.

        Returns:
            The card, with the fields that both kinds of cards have.
        """
        shared = {entry.name: getattr(self, entry.name) for entry in fields(_CardFields)}
        return Card(**shared, metrics=_set_fields(self.metrics), sha256=sha256, bytes=bytes, provenance=provenance)


def _set_fields(value: Any) -> Any:
    """A dataclass as values for JSON and YAML: a mapping without fields that are None, lists for tuples."""
    if is_dataclass(value):
        written = [entry.name for entry in fields(value) if not entry.metadata.get('unwritten')]
        items = {name: getattr(value, name) for name in written}
        return {name: _set_fields(item) for name, item in items.items() if item is not None}
    return list(value) if isinstance(value, tuple) else value
