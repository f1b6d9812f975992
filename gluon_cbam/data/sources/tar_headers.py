"""Headers of tar files, parsed and checked without ``tarfile``, which takes a damaged header for the end of the file.

A tar file is a sequence of blocks of 512 bytes: a header for each member, then its bytes, padded to whole blocks. A
header holds, as text that ends with NUL, the name (at 0), the size in octal (at 124), a checksum (at 148), the type
(at 156), the magic number (at 257) and, in the format ``ustar``, the beginning of the name (at 345). GNU tar writes a
size that octal cannot express as a binary number after the byte 0x80 or 0xff, and a name of more than 100 bytes as the
contents of a member of type ``L`` before the member; POSIX writes both as records ``LENGTH KEY=VALUE`` in a member of
type ``x``, or of type ``g`` for all members that follow. A block of zeros marks the end.

Sources: POSIX.1-2017, pax, "ustar Interchange Format" and "pax Header Block"; GNU tar manual, "Basic Tar Format".
"""

from __future__ import annotations

from typing import Dict, NamedTuple

from gluon_cbam.common.damage import Damaged

BLOCK = 512
"""Bytes of a header, and the unit to which the bytes of a member are padded."""
MAX_EXTENDED = 1 << 20
"""Bytes of a long name or of pax records that are read before a member."""
_MAX_NAME = 4096  # bytes; Linux opens no longer path

_REGULAR = b'0\x007'  # a file, as old and POSIX tar write it, and a contiguous one
_WITHOUT_BYTES = b'123456'  # links, devices, folders and pipes: their size counts no bytes in the file
_ENTRIES = {b'1': 'links', b'2': 'links', b'5': 'folder'}  # other kinds are devices and pipes
_LONG_NAME, _LONG_LINK = b'L', b'K'
_PAX, _PAX_GLOBAL = (b'x', b'X'), b'g'  # X: Solaris
_SPARSE = b'S'
_POSIX_MAGIC = b'ustar\0'
_SPARSE_KEY = 'GNU.sparse.'


class Header(NamedTuple):
    """A header.

    Attributes:
        name: path of the member, as the header gives it.
        size: bytes that follow the header, without padding.
        kind: type of the member, one byte.
    """

    name: bytes
    size: int
    kind: bytes

    @property
    def is_file(self) -> bool:
        """Whether the member is a regular file."""
        return self.kind in _REGULAR and not self.name.endswith(b'/')  # old tar: a folder is a file with a final slash

    @property
    def entry(self) -> str:
        """What a member is that is no regular file: ``folder``, ``links`` or ``special``."""
        return 'folder' if self.name.endswith(b'/') else _ENTRIES.get(self.kind, 'special')

    @property
    def is_extended(self) -> bool:
        """Whether the member describes the one that follows."""
        return self.kind in (_LONG_NAME, _LONG_LINK, _PAX_GLOBAL, *_PAX)

    @property
    def padded(self) -> int:
        """Bytes that follow the header, with padding."""
        return -(-self.size // BLOCK) * BLOCK


class Extended:
    """What long names and pax records say about the members that follow them."""

    def __init__(self) -> None:
        self._for_all: Dict[str, bytes] = {}
        self._for_next: Dict[str, bytes] = {}

    @property
    def pending(self) -> bool:
        """Whether a member must follow."""
        return bool(self._for_next)

    def add(self, header: Header, content: bytes) -> None:
        """Take the contents of a member that describes those that follow.

        Args:
            header: its header, see :attr:`Header.is_extended`.
            content: its bytes.

        Raises:
            Damaged: the contents cannot be read.
        """
        if header.kind == _LONG_NAME:
            self._for_next['path'] = content.partition(b'\0')[0]
        elif header.kind == _PAX_GLOBAL:
            self._for_all.update(_pax_records(content))
        elif header.kind in _PAX:
            self._for_next.update(_pax_records(content))

    def applied(self, header: Header) -> Header:
        """The header of a member with what was said about it.

        Args:
            header: the header as it is in the file.

        Returns:
            The header with its final name and size.

        Raises:
            Damaged: the size is no number, the name is too long, or the member is sparse.
        """
        found = {**self._for_all, **self._for_next}
        self._for_next = {}
        name = found.get('path', header.name)
        if len(name) > _MAX_NAME:
            raise Damaged(f'a name of {len(name)} bytes, beginning with {name[:40]!r}; at most {_MAX_NAME}')
        if header.kind == _SPARSE or any(key.startswith(_SPARSE_KEY) for key in found):
            raise Damaged(f'member {name[:80]!r} is sparse, which is not read: write it without tar --sparse')
        size = _number(found['size'], 10, 'size of a pax header') if 'size' in found else header.size
        return Header(name, 0 if header.kind in _WITHOUT_BYTES else size, header.kind)


def parse(block: bytes) -> Header:
    """Parse a header and compare its checksum.

    Args:
        block: 512 bytes, not all zero.

    Returns:
        The header.

    Raises:
        Damaged: the checksum or a number is wrong.
    """
    summed = block[:148] + b' ' * 8 + block[156:]  # the checksum counts its own field as spaces
    difference = sum(summed) - _field(block, 148, 8, 'checksum')
    if difference and difference != 256 * sum(byte > 127 for byte in summed):  # some old programs sum signed bytes
        raise Damaged('a header cannot be read (bad checksum)')
    name, kind = block[:100].partition(b'\0')[0], block[156:157]
    if block[257:263] == _POSIX_MAGIC and block[345]:
        name = block[345:500].partition(b'\0')[0] + b'/' + name
    size = _field(block, 124, 12, 'size')
    if size < 0:
        raise Damaged('a header cannot be read (negative size)')
    return Header(name, 0 if kind in _WITHOUT_BYTES else size, kind)


def _field(block: bytes, begin: int, length: int, what: str) -> int:
    """A number of a header: octal, or binary where the first bit is set."""
    field = block[begin : begin + length]
    if field[0] == 0x80:
        return int.from_bytes(field[1:], 'big')
    if field[0] == 0xFF:
        return int.from_bytes(field, 'big', signed=True)
    return _number(field.partition(b'\0')[0], 8, what)


def _number(text: bytes, base: int, what: str) -> int:
    """A number in digits; an empty one is 0."""
    digits = text.strip(b' ')
    if not digits:
        return 0
    if len(digits) > 20 or not digits.isdigit():
        raise Damaged(f'a header cannot be read (invalid {what})')
    try:
        return int(digits, base)
    except ValueError:  # 8 or 9 in an octal number
        raise Damaged(f'a header cannot be read (invalid {what})') from None


def _pax_records(content: bytes) -> Dict[str, bytes]:
    """The records of a pax header that matter here: name, size, and whether the member is sparse."""
    records: Dict[str, bytes] = {}
    position = 0
    content = content.rstrip(b'\0')
    while position < len(content):
        length, _, _ = content[position : position + 21].partition(b' ')
        end = position + (int(length) if length.isdigit() else 0)
        key, equals, value = content[position + len(length) + 1 : end - 1].partition(b'=')
        if not equals or end > len(content) or content[end - 1 : end] != b'\n':
            raise Damaged('a pax header cannot be read')
        if key in (b'path', b'size') or key.startswith(_SPARSE_KEY.encode()):
            records[key[:80].decode('ascii', 'replace')] = value
        position = end
    return records
