"""Write arrays in MXNet's format, with the errors of the disk that MXNet hides.

MXNet reports a failed write without its reason, and it does not look at all whether the last bytes, up to the size of a
buffer, were written when it closes the file: on a full disk, ``mx.nd.save`` may leave a cut file and raise nothing.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Callable, Mapping, Optional

import mxnet as mx

from gluon_cbam.common.errors import DataError

from . import parameter_file

_PROBE = bytes(1 << 20)


def write_arrays(arrays: Mapping[str, mx.nd.NDArray], path: Path) -> None:
    """Write arrays by name, and check that the file is complete.

    Args:
        arrays: name -> array.
        path: the temporary path of :func:`gluon_cbam.common.files.atomic_path`, whose errors name the final file.

    Raises:
        OSError: the file was not written, or only a part of it.
    """
    _write(path, lambda name: mx.nd.save(name, dict(arrays)))


def write_parameters(net: mx.gluon.Block, path: Path) -> None:
    """Write what ``Block.save_parameters`` writes, and check that the file is complete; see :func:`write_arrays`.

    Args:
        net: the network.
        path: the temporary path.

    Raises:
        OSError: the file was not written, or only a part of it.
    """
    _write(path, net.save_parameters)


def _write(path: Path, save: Callable[[str], None]) -> None:
    try:
        save(str(path))
        parameter_file.check(path)
    except (mx.base.MXNetError, DataError) as error:
        raise _reason(path) or error from None


def _reason(path: Path) -> Optional[OSError]:
    """The reason why writing to a file failed: the next write fails for the same one."""
    try:
        with open(path, 'ab', buffering=0) as file:
            if (file.write(_PROBE) or 0) < len(_PROBE):
                file.write(_PROBE)
            os.fsync(file.fileno())
    except OSError as error:
        return OSError(error.errno or errno.EIO, error.strerror)
    return None
