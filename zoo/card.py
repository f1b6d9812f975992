"""Cards: everything that is needed to use weights and to trust them.

:class:`Card` is the JSON beside a parameter file, of a checkpoint as of a file of the store: it knows its SHA-256.
:class:`Published` is a card of the zoo, YAML in ``zoo/cards`` or in a registry: it also knows where the file comes
from, which may be a file of somebody else that nobody has converted yet.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, fields, is_dataclass
from pathlib import PurePosixPath
from typing import Any, Dict, List, Optional, Tuple, TypeVar
from urllib.parse import urlsplit

from gluon_cbam.common.errors import ZooError

from .schema import decode

_C = TypeVar('_C', bound='_Described')

CONVERSIONS = ('official', 'imgclsmob')
"""Sources whose files are converted, as ``cbam convert --source`` calls them."""


@dataclass(frozen=True)
class Preprocessing:
    """From an image to the input of a network.

    Attributes:
        image_size: height and width of the crop, in pixels.
        mean: of the channels R, G, B, for pixels in 0..1.
        std: likewise.
        crop_ratio: ``image_size`` over the short side before the centre crop; 0.875 resizes to 256 and crops 224.
        interpolation: of the resize; there is only ``bilinear``.
    """

    image_size: int
    mean: Tuple[float, float, float]
    std: Tuple[float, float, float]
    crop_ratio: float = 1.0
    interpolation: str = 'bilinear'

    def __post_init__(self):
        _check(self.image_size > 0, 'image_size must be positive', self.image_size)
        _check(0 < self.crop_ratio <= 1, 'crop_ratio must be in (0, 1]', self.crop_ratio)
        _check(min(self.std) > 0, 'std must be positive', self.std)
        _check(self.interpolation == 'bilinear', 'interpolation must be bilinear', self.interpolation)


@dataclass(frozen=True)
class Metrics:
    """What weights score.

    Attributes:
        top1: accuracy in 0..1.
        top5: likewise.
        data: the data set and its part.
        measured_by: ``publisher``: stated by who published the weights, and checked by nobody here. ``verified``:
            measured with ``cbam validate`` on the file that has the card's SHA-256.
        note: how, where that matters.
        records: how many images were counted.
        data_sha256: of the ``.rec`` file that they were in.
    """

    top1: Optional[float] = None
    top5: Optional[float] = None
    data: Optional[str] = None
    measured_by: str = 'publisher'
    note: Optional[str] = None
    records: Optional[int] = None
    data_sha256: Optional[str] = None

    def __post_init__(self):
        for name in ('top1', 'top5'):
            value = getattr(self, name)
            _check(value is None or 0 <= value <= 1, f'{name} must be an accuracy in 0..1', value)
        _check_hash('data_sha256', self.data_sha256, 64)
        _check(
            self.measured_by in ('publisher', 'verified'), 'measured_by must be publisher or verified', self.measured_by
        )


@dataclass(frozen=True)
class OriginalFile:
    """The file that is downloaded.

    Attributes:
        name: that the file has once unpacked, or gets in the store; its ending tells the format.
        addresses: http or https, or relative to the registry; tried in turn.
        archive: ``zip`` when the addresses give a zip with the file in it, else ``none``.
        member: of the zip; default ``name``.
        sha1: of the file, unpacked, if its publisher gives that.
        sha256: likewise.
        bytes: size of the file, unpacked, if known.
        conversion: one of :data:`CONVERSIONS`; ``none`` for a parameter file of ours, whose hash and size are those of
            the card.
    """

    name: str
    addresses: Tuple[str, ...] = ()
    archive: str = 'none'
    member: Optional[str] = None
    sha1: Optional[str] = None
    sha256: Optional[str] = None
    bytes: Optional[int] = None
    conversion: str = 'none'

    def __post_init__(self):
        _check(re.fullmatch(r'\w[\w.\-]*', self.name), 'name must be a plain file name', self.name)
        _check(self.archive in ('none', 'zip'), 'archive must be none or zip', self.archive)
        _check(self.member is None or safe_member(self.member), 'member must be a path inside the zip', self.member)
        _check_hash('sha1', self.sha1, 40)
        _check_hash('sha256', self.sha256, 64)
        _check(self.bytes is None or self.bytes > 0, 'bytes must be positive', self.bytes)
        known = ('none', *CONVERSIONS)
        _check(self.conversion in known, f'conversion must be one of {", ".join(known)}', self.conversion)
        for address in self.addresses:
            _check(_is_address(address), 'addresses must be http, https or relative, without a password', address)


@dataclass(frozen=True)
class _Described:
    """What every card says.

    Attributes:
        network: name of the network.
        classes: outputs of its last layer.
        preprocessing: a :class:`Preprocessing` by name.
        options: of the network.
        class_names: in the order of the outputs, if known.
        tag: ``network.source_data`` of published weights.
        source: who made it.
        licence: of the file.
        command: that made it.
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

    def as_dict(self) -> Dict[str, Any]:
        """What is set, by name, as JSON and YAML hold it."""
        return _plain(self)

    @classmethod
    def from_dict(cls: type[_C], values: Any, where: str) -> _C:
        """The way back.

        Args:
            values: what was read from the file.
            where: the file, for the message.

        Raises:
            ZooError: it is no such card; the message names file, field and value.
        """
        return decode(cls, values, where)


@dataclass(frozen=True)
class Card(_Described):
    """The card beside a parameter file.

    Attributes:
        sha256: of the parameter file.
        bytes: its size.
        metrics: figure by name, for instance ``top1``, an accuracy in 0..1.
        training: how far the run was that saved it.
        averaged: decay of the moving average that the parameters are; without it they are those of the last step.
        started_from: ``source`` and ``sha256`` of the weights that training started from.
        provenance: the file that it was converted from, with its hash and address, and by what.
    """

    sha256: str = ''
    bytes: int = 0
    metrics: Dict[str, Any] = field(default_factory=dict)
    training: Optional[Dict[str, Any]] = None
    averaged: Optional[float] = None
    started_from: Optional[Dict[str, Any]] = None
    provenance: Optional[Dict[str, Any]] = None

    def __post_init__(self):
        _check_hash('sha256', self.sha256, 64)
        _check(self.bytes > 0, 'bytes must be positive', self.bytes)


@dataclass(frozen=True)
class Published(_Described):
    """A card of the zoo.

    Attributes:
        default: whether the network's name alone means these weights.
        original: the file that is downloaded.
        sha256: of our parameter file; None while nobody has converted the original and recorded it here.
        bytes: size of our parameter file.
        metrics: what it scores, and who says so.
        parameters: trainable parameters of the network.
        macs: multiply-adds for one image of the preprocessing's size.
        recipe: how it was trained, or the address of its log.
        citation: of the paper.
        folder: of the registry, where that is a file: relative addresses begin there.
    """

    default: bool = False
    original: Optional[OriginalFile] = None
    sha256: Optional[str] = None
    bytes: Optional[int] = None
    metrics: Metrics = field(default_factory=Metrics)
    parameters: Optional[int] = None
    macs: Optional[int] = None
    recipe: Optional[str] = None
    citation: Optional[str] = None
    folder: Optional[str] = field(default=None, metadata={'unwritten': True})

    def __post_init__(self):
        _check(re.fullmatch(r'\w[\w.\-]*', self.tag or ''), 'tag must be a plain name', self.tag)
        _check(self.tag.startswith(f'{self.network}.'), f'tag must begin with {self.network}.', self.tag)
        _check(self.classes > 0, 'classes must be positive', self.classes)
        decode(Preprocessing, self.preprocessing, self.tag, 'preprocessing.')
        _check_hash('sha256', self.sha256, 64)
        _check(self.bytes is None or self.bytes > 0, 'bytes must be positive', self.bytes)
        _check(
            self.sha256 or self.metrics.measured_by == 'publisher',
            'metrics.measured_by needs the sha256 of what was measured',
            self.metrics.measured_by,
        )
        if self.conversion == 'none':
            _check(self.sha256 and self.bytes, 'sha256 and bytes are needed for a file that is not converted', None)
            given = self.original and (self.original.sha1 or self.original.sha256 or self.original.bytes)
            _check(not given, 'original.sha256 of a file that is not converted is the sha256 of the card', given)

    @property
    def conversion(self) -> str:
        """How the original becomes our parameter file: one of :data:`CONVERSIONS`, or ``none`` where it is one."""
        return self.original.conversion if self.original else 'none'

    @property
    def hashes(self) -> Dict[str, str]:
        """The hashes that the original must have, by algorithm; none where its publisher gives none."""
        if self.conversion == 'none':
            return {'sha256': self.sha256}
        return {name: value for name in ('sha1', 'sha256') for value in [getattr(self.original, name)] if value}

    @property
    def original_bytes(self) -> Optional[int]:
        """The size that the original must have, if known."""
        return self.bytes if self.conversion == 'none' else self.original.bytes

    def beside(self, sha256: str, bytes: int, provenance: Dict[str, Any]) -> Card:
        """The card that stands beside our parameter file of these weights."""
        said = {entry.name: getattr(self, entry.name) for entry in fields(_Described)}
        return Card(**said, metrics=_plain(self.metrics), sha256=sha256, bytes=bytes, provenance=provenance)

    @property
    def most_bytes(self) -> int:
        """The most that the original can have: its size, or what is enough for its parameters and an optimizer's."""
        return self.original_bytes or 12 * (self.parameters or 2**28) + 2**24


def safe_member(name: str) -> bool:
    """Whether a name of a zip stays in the folder that it is unpacked to."""
    path = PurePosixPath(name)
    return bool(name) and not path.is_absolute() and '..' not in path.parts and '\\' not in name and ':' not in name


def _is_address(address: str) -> bool:
    parts = urlsplit(address)
    if parts.scheme:
        return parts.scheme in ('http', 'https') and bool(parts.hostname) and not parts.username
    return bool(parts.path) and not parts.netloc and not parts.path.startswith('/')


def _check_hash(name: str, value: Optional[str], digits: int) -> None:
    _check(value is None or re.fullmatch(f'[0-9a-f]{{{digits}}}', value), f'{name} must be {digits} hex digits', value)


def _check(fulfilled: Any, wanted: str, value: Any) -> None:
    if not fulfilled:
        raise ZooError(f'{wanted}, got {value!r}')


def _plain(value: Any) -> Any:
    """A card as JSON and YAML hold it: a mapping without the fields that are not set, lists for tuples."""
    if is_dataclass(value):
        written = [entry.name for entry in fields(value) if not entry.metadata.get('unwritten')]
        said = {name: getattr(value, name) for name in written}
        return {name: _plain(item) for name, item in said.items() if item is not None}
    return list(value) if isinstance(value, tuple) else value
