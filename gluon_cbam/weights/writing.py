"""Write arrays in MXNet's format, with the errors of the disk that MXNet hides.

MXNet reports a failed write without its reason, and it does not look at all whether the last bytes, up to the size of a
buffer, were written when it closes the file: on a full disk, ``mx.nd.save`` may leave a cut file and raise nothing.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Mapping, Optional

import mxnet as mx
import numpy as np

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
    try:
        mx.nd.save(str(path), dict(arrays))
        parameter_file.check(path)
    except (mx.base.MXNetError, DataError) as error:
        raise _reason(path) or error from None


def write_parameters(net: mx.gluon.Block, path: Path) -> None:
    """Write the parameters under the names of ``Block.save_parameters``; see :func:`write_arrays`.

    That function writes the mean over the devices, which on three devices is not the value that all of them have.

    Args:
        net: the network.
        path: the temporary path.

    Raises:
        OSError: the file was not written, or only a part of it.
    """
    values = {name: value_of(parameter) for name, parameter in net._collect_params_with_prefix().items()}
    write_arrays(values, path)


def value_of(parameter: mx.gluon.Parameter) -> mx.nd.NDArray:
    """The value that a parameter has on all devices, or the mean of its values where they differ, on the CPU."""
    copies = [each.as_in_context(mx.cpu()) for each in parameter.list_data()]
    first = copies[0].asnumpy()
    if all(np.array_equal(first, each.asnumpy()) for each in copies[1:]):
        return copies[0]
    return mx.nd.add_n(*copies) / len(copies)


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
