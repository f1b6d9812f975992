"""The names of devices: numbers, OpenVINO's names, Core ML's compute units."""

from __future__ import annotations

import re
from typing import Callable, List, Optional

from gluon_cbam.common.errors import UsageError
from gluon_cbam.compat import cuda

_OPENVINO = re.compile(r'(?:CPU|NPU|GPU(?:\.[0-9]{1,3})?)\Z')
COMPUTE_UNITS = ('ALL', 'CPUAndGPU', 'CPUAndNeuralEngine', 'CPUOnly')
"""Core ML's names for sets of devices."""
ReadDevice = Callable[[Optional[str]], Optional[str]]
"""Checks what a user gave, or None, and returns the name that the engine knows."""


def no_device(text: Optional[str]) -> Optional[str]:
    """The device where there is one only.

    Raises:
        UsageError: a device is given.
    """
    if text is not None:
        raise UsageError(f'provider cpu has no devices, got {text!r}: leave it out, or give another provider')
    return None


def numbered_device(text: Optional[str]) -> Optional[str]:
    """The number of a GPU, from 0, the default.

    Raises:
        UsageError: it is no number.
    """
    text = '0' if text is None else text
    if not re.match(r'[0-9]{1,3}\Z', text):
        raise UsageError(f'devices of this provider are numbers from 0, got {text!r}')
    return str(int(text))


def openvino_device(text: Optional[str]) -> Optional[str]:
    """OpenVINO's name of a device: ``CPU``, the default, ``GPU``, ``GPU.N`` or ``NPU``; a number N means ``GPU.N``.

    Raises:
        UsageError: it is no such name.
    """
    name = 'CPU' if text is None else f'GPU.{text}' if text.isdigit() else text.upper()
    if not _OPENVINO.match(name):
        raise UsageError(f'devices of OpenVINO are CPU, GPU, GPU.0, GPU.1, ... and NPU, got {text!r}')
    return name


def compute_units(text: Optional[str]) -> Optional[str]:
    """Core ML's name of a set of devices; default, as for 0, all.

    Raises:
        UsageError: it is no such name.
    """
    name = 'ALL' if text in (None, '0') else text
    if name not in COMPUTE_UNITS:
        raise UsageError(f'devices of Core ML are {", ".join(COMPUTE_UNITS)}, got {text!r}')
    return name


def nvidia_gpus() -> List[str]:
    """The NVIDIA GPUs that the driver reports; empty if there are none, or they cannot be counted."""
    return [f'compute capability {major}.{minor}' for major, minor in cuda.compute_capabilities()]
