"""The folder of the store, and settings of downloads, most of them environment variables."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Callable, List, NamedTuple, Optional, Tuple

from gluon_cbam.common.errors import UsageError
from gluon_cbam.common.files import PathLike

from .conditions import is_url

Progress = Callable[[int, Optional[int]], None]
"""Called with the number of bytes received and the total number of bytes, None if unknown."""


def root_of(root: Optional[PathLike] = None) -> Path:
    """The folder of the store.

    Args:
        root: the folder itself; default the folder ``models`` of CBAM_HOME, of MXNET_HOME, or of ``~/.mxnet``, where
            MXNet and GluonCV store weights.

    Returns:
        The path of the folder, which may not exist.
    """
    if root is not None:
        return Path(root).expanduser()
    home = os.environ.get('CBAM_HOME') or os.environ.get('MXNET_HOME') or os.path.join('~', '.mxnet')
    return Path(home).expanduser() / 'models'


def is_offline(offline: Optional[bool] = None) -> bool:
    """Whether nothing may be downloaded.

    Args:
        offline: True or False overrides CBAM_ZOO_OFFLINE; default None.
    """
    if offline is not None:
        return offline
    return os.environ.get('CBAM_ZOO_OFFLINE', '').lower() not in ('', '0', 'false', 'no')


class RetryPolicy(NamedTuple):
    """Timeout and retries of a download, with exponential backoff.

    Attributes:
        timeout: seconds without a response, or with less than 1 kB received, after which an attempt has failed;
            CBAM_ZOO_TIMEOUT.
        speed_limit: bytes per second, over ``timeout`` seconds, below which an attempt has failed, like
            ``--speed-limit`` of curl; CBAM_ZOO_SPEED_LIMIT, 0 for none.
        attempts: maximum number of attempts for one URL.
        backoff: seconds before the second attempt, doubled before each further one.
        max_retry_after: maximum delay in seconds that a server may request.
    """

    timeout: float = 30.0
    attempts: int = 5
    backoff: float = 0.5
    max_retry_after: float = 60.0
    speed_limit: float = 8192.0

    @classmethod
    def from_environment(cls) -> RetryPolicy:
        """The default policy, with the values of CBAM_ZOO_TIMEOUT and CBAM_ZOO_SPEED_LIMIT.

        Raises:
            UsageError: CBAM_ZOO_TIMEOUT is not a positive number of seconds below a day, or CBAM_ZOO_SPEED_LIMIT is not
                a number of bytes per second.
        """
        timeout, text = _number('CBAM_ZOO_TIMEOUT', cls().timeout)
        if not 0 < timeout < 86400:
            raise UsageError(f'CBAM_ZOO_TIMEOUT must be a number of seconds above 0, got {text!r}')
        speed_limit, text = _number('CBAM_ZOO_SPEED_LIMIT', cls().speed_limit)
        if not 0 <= speed_limit < 1e12:
            raise UsageError(f'CBAM_ZOO_SPEED_LIMIT must be bytes per second, 0 for no limit, got {text!r}')
        return cls(timeout=timeout, speed_limit=speed_limit)


def _number(name: str, default: float) -> Tuple[float, str]:
    """The number in an environment variable, NaN for what is no number, and its text."""
    text = os.environ.get(name) or str(default)
    try:
        return float(text), text
    except ValueError:
        return math.nan, text


def mirrors() -> List[str]:
    """The base URLs in CBAM_ZOO_MIRROR, separated by commas; they are tried before the URLs of a card.

    Returns:
        The URLs, in order.

    Raises:
        UsageError: one of them is not an http or https URL.
    """
    urls = [mirror.strip() for mirror in os.environ.get('CBAM_ZOO_MIRROR', '').split(',') if mirror.strip()]
    for url in urls:
        if not url.startswith(('http://', 'https://')) or not is_url(url):
            raise UsageError(f'CBAM_ZOO_MIRROR must be http or https, got {url!r}')
    return urls
