"""Where files are kept, and what the environment says about the network."""

from __future__ import annotations

import os
from pathlib import Path
from typing import List, NamedTuple, Optional

from gluon_cbam.common.errors import ZooError
from gluon_cbam.common.files import PathLike


def root_of(root: Optional[PathLike] = None) -> Path:
    """The folder of the store.

    Args:
        root: the folder itself; default the folder ``models`` of CBAM_HOME, of MXNET_HOME, or of ``~/.mxnet``, where
            MXNet and GluonCV keep theirs.
    """
    if root is not None:
        return Path(root).expanduser()
    home = os.environ.get('CBAM_HOME') or os.environ.get('MXNET_HOME') or os.path.join('~', '.mxnet')
    return Path(home).expanduser() / 'models'


def is_offline(offline: Optional[bool] = None) -> bool:
    """Whether nothing may be downloaded: as told, else as CBAM_ZOO_OFFLINE says."""
    if offline is not None:
        return offline
    return os.environ.get('CBAM_ZOO_OFFLINE', '').lower() not in ('', '0', 'false', 'no')


class Patience(NamedTuple):
    """How long a server is waited for.

    Attributes:
        timeout: seconds without an answer, or with next to nothing coming; CBAM_ZOO_TIMEOUT.
        attempts: at an address that fails for the moment.
        pause: seconds before the second attempt; doubled before each further one.
        longest: seconds that a server may ask to wait for.
    """

    timeout: float = 30.0
    attempts: int = 5
    pause: float = 0.5
    longest: float = 60.0

    @classmethod
    def of_environment(cls) -> Patience:
        """The default, with CBAM_ZOO_TIMEOUT.

        Raises:
            ZooError: it is no number of seconds.
        """
        said = os.environ.get('CBAM_ZOO_TIMEOUT') or str(cls().timeout)
        try:
            timeout = float(said)
        except ValueError:
            timeout = 0.0
        if not 0 < timeout < 86400:
            raise ZooError(f'CBAM_ZOO_TIMEOUT must be a number of seconds above 0, got {said!r}', exit_code=2)
        return cls(timeout=timeout)


def mirrors() -> List[str]:
    """Base addresses that are tried before those of a card: CBAM_ZOO_MIRROR, separated by commas."""
    said = [mirror.strip() for mirror in os.environ.get('CBAM_ZOO_MIRROR', '').split(',') if mirror.strip()]
    for mirror in said:
        if not mirror.startswith(('http://', 'https://')):
            raise ZooError(f'CBAM_ZOO_MIRROR must be http or https, got {mirror!r}', exit_code=2)
    return said
