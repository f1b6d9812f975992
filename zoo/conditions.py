"""Conditions that the fields of a card fulfill."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import Any, Dict, Optional
from urllib.parse import urlsplit

from gluon_cbam.common.errors import DataError
from gluon_cbam.common.quoting import shown, shown_name

MAX_BYTES = 1 << 36
"""Largest size of a file of weights, 64 GiB, and largest number of parameters."""
_MAX_NAME = 200  # the longest name of a file has 255 bytes on most file systems
_MAX_URL = 4096
_MAX_LIST = 64  # items of an option
# arguments of gluon_cbam.get_model, models.build and of Gluon's constructors, which cards do not set
_NOT_OPTIONS = (
    'name', 'network', 'pretrained', 'classes', 'ctx', 'root', 'prefix', 'params', 'weight_initializer', 'self', 'row',
)  # fmt: skip


def is_safe_member(name: str) -> bool:
    """Whether extracting a member of a zip by its name stays within the output folder.

    Args:
        name: name of the member.
    """
    path = PurePosixPath(name)
    outside = path.is_absolute() or '..' in path.parts or any(sign in name for sign in '\\:\0')
    return bool(name) and not outside


def is_url(url: str) -> bool:
    """Whether a URL is http or https with a host and without a password, or relative.

    Args:
        url: the URL.
    """
    try:
        parts = urlsplit(url)
        port = parts.port  # is parsed here
    except ValueError:  # for instance a bracket that is not closed, or a port of letters
        return False
    if not url.isprintable() or ' ' in url or len(url) > _MAX_URL or port == 0:
        return False
    if parts.scheme:
        return parts.scheme in ('http', 'https') and is_host(parts.hostname) and not parts.username
    return bool(parts.path) and not parts.netloc and not parts.path.startswith('/')


def is_host(name: Optional[str]) -> bool:
    """Whether a name of a host can be looked up: its labels are neither empty nor too long.

    Args:
        name: the name, or None.
    """
    try:
        return bool(name) and bool((name or '').rstrip('.').encode('idna'))
    except UnicodeError:
        return False


def is_plain_name(name: str) -> bool:
    """Whether a name can be that of a file in any folder, with an ending added.

    Args:
        name: the name.
    """
    return bool(re.fullmatch(r'\w[\w.\-]*', name)) and len(name.encode()) <= _MAX_NAME


def check_options(options: Dict[str, Any]) -> None:
    """Check that options may be those of a network: names, with numbers, short texts, or short lists of these.

    The options of a family are known where networks are built, see :func:`gluon_cbam.models.registry.check_options`.

    Args:
        options: the options by name.

    Raises:
        DataError: one of them cannot be an option.
    """
    for name, value in options.items():
        check(
            name.isidentifier() and name not in _NOT_OPTIONS,
            f'options.{shown_name(name)} is no option of a network',
            value,
        )
        values = value if isinstance(value, (list, tuple)) else [value]
        simple = all(item is None or isinstance(item, (bool, int, float, str)) for item in values)
        short = len(values) <= _MAX_LIST and all(len(item) <= _MAX_NAME for item in values if isinstance(item, str))
        check(simple and short, f'options.{name} must be a number, a short text, or a short list of these', value)


def check_bytes(size: Optional[int]) -> None:
    """Check the size of a file.

    Args:
        size: in bytes; None if it is not known.

    Raises:
        DataError: it is not in 1..:data:`MAX_BYTES`.
    """
    check(size is None or size > 0, 'bytes must be positive', size)
    check((size or 0) <= MAX_BYTES, f'bytes must be at most {MAX_BYTES}', size)


def check_hash(name: str, value: Optional[str], digits: int) -> None:
    """Check a hash in hexadecimal.

    Args:
        name: name of the field.
        value: the hash; None if it is not known.
        digits: its number of digits.

    Raises:
        DataError: it is not a hash.
    """
    check(value is None or re.fullmatch(f'[0-9a-f]{{{digits}}}', value), f'{name} must be {digits} hex digits', value)


def check(fulfilled: Any, condition: str, value: Any) -> None:
    """Check a condition.

    Args:
        fulfilled: whether it is fulfilled, as a truth value.
        condition: the condition, for the message.
        value: the value received, for the message.

    Raises:
        DataError: it is not fulfilled.
    """
    if not fulfilled:
        raise DataError(f'{condition}, got {shown(value)}')
