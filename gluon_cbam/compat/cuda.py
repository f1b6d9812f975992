"""CUDA for the ``cu117`` extra: its libraries from PyPI, the driver, and the GPUs for which the wheel has code.

Not tested on a GPU: the tests import a substitute for mxnet-cu117 with substitutes for the libraries and the driver.
"""

from __future__ import annotations

import ctypes
import importlib.util
from pathlib import Path
from typing import List, Optional, Tuple

from gluon_cbam.common.errors import DependencyError

from .versions import mxnet_is_gpu_build

# folder under site-packages/nvidia and file name; each needs only those before it
_LIBRARIES = (
    ('cuda_runtime', 'libcudart.so.11.0'),
    ('nvtx', 'libnvToolsExt.so.1'),
    ('cuda_nvrtc', 'libnvrtc.so.11.2'),
    ('cublas', 'libcublasLt.so.11'),
    ('cublas', 'libcublas.so.11'),
    ('cufft', 'libcufft.so.10'),
    ('curand', 'libcurand.so.10'),
    ('cusparse', 'libcusparse.so.11'),
    ('cusolver', 'libcusolver.so.11'),
    ('cudnn', 'libcudnn.so.8'),
    ('nccl', 'libnccl.so.2'),
)
# mxnet-cu117 1.9.1 contains machine code for sm_50, 60, 70, 80 and 86 and no PTX: it runs on these generations only
_GENERATIONS = (5, 6, 7, 8)


def load_driver() -> Optional[ctypes.CDLL]:
    """The NVIDIA driver's library, or None without a driver."""
    try:
        return ctypes.CDLL('libcuda.so.1')
    except OSError:
        return None


def preload() -> None:
    """Load the CUDA 11 libraries that pip installed, so that ``import mxnet`` finds them without a system toolkit.

    Does nothing for the CPU build. A library that is not installed by pip is left to the system's loader.

    Raises:
        DependencyError: the GPU build is installed and there is no NVIDIA driver.
    """
    if not mxnet_is_gpu_build():
        return
    if load_driver() is None:
        raise DependencyError(
            'mxnet-cu117 needs an NVIDIA driver and libcuda.so.1 was not found: install the driver, or without a GPU '
            "'cbam setup cpu --force'"
        )
    spec = importlib.util.find_spec('nvidia')
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        for package, name in _LIBRARIES:
            path = Path(folder) / package / 'lib' / name
            if path.is_file():
                ctypes.CDLL(str(path), mode=ctypes.RTLD_GLOBAL)


def compute_capabilities() -> List[Tuple[int, int]]:
    """(major, minor) of every GPU that the driver reports; empty without a driver."""
    driver = load_driver()
    if driver is None or driver.cuInit(0) != 0:
        return []
    count, major, minor, device = (ctypes.c_int() for _ in range(4))
    driver.cuDeviceGetCount(ctypes.byref(count))
    found = []
    for index in range(count.value):
        driver.cuDeviceGet(ctypes.byref(device), index)
        driver.cuDeviceGetAttribute(ctypes.byref(major), 75, device)  # CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR
        driver.cuDeviceGetAttribute(ctypes.byref(minor), 76, device)  # CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR
        found.append((major.value, minor.value))
    return found


def has_code_for(capability: Tuple[int, int]) -> bool:
    """Whether the mxnet-cu117 wheel has machine code for a GPU.

    Args:
        capability: compute capability of the GPU, (major, minor).
    """
    return capability[0] in _GENERATIONS
