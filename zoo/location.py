"""The folder of the store, and settings of downloads, most of them environment variables."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Callable, List, NamedTuple, Optional

from gluon_cbam.common.errors import UsageError
from gluon_cbam.common.files import PathLike

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
        attempts: maximum number of attempts for one URL.
        backoff: seconds before the second attempt, doubled before each further one.
        max_retry_after: maximum delay in seconds that a server may request.
    """

    timeout: float = 30.0
    attempts: int = 5
    backoff: float = 0.5
    max_retry_after: float = 60.0

    @classmethod
    def from_environment(cls) -> RetryPolicy:
        """The default policy, with the timeout of CBAM_ZOO_TIMEOUT.

        Raises:
            UsageError: CBAM_ZOO_TIMEOUT is not a positive number of seconds below a day.
        """
        value = os.environ.get('CBAM_ZOO_TIMEOUT') or str(cls().timeout)
        try:
            timeout = float(value)
        except ValueError:
            timeout = 0.0
        if not 0 < timeout < 86400:
            raise UsageError(f'CBAM_ZOO_TIMEOUT must be a number of seconds above 0, got {value!r}')
        return cls(timeout=timeout)


def mirrors() -> List[str]:
    """The base URLs in CBAM_ZOO_MIRROR, separated by commas; they are tried before the URLs of a card.

    Returns:
        The URLs, in order.

    Raises:
        UsageError: one of them is not an http or https URL.
    """
    urls = [mirror.strip() for mirror in os.environ.get('CBAM_ZOO_MIRROR', '').split(',') if mirror.strip()]
    for url in urls:
        if not url.startswith(('http://', 'https://')):
            raise UsageError(f'CBAM_ZOO_MIRROR must be http or https, got {url!r}')
    return urls
