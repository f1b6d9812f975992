"""The instruction set of oneDNN inside MXNet, as it says itself."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from functools import lru_cache
from typing import Dict, FrozenSet, Tuple

from gluon_cbam.common.errors import EnvironmentProblem

from . import IMPORTABLE

AVX2 = {'CBAM_INSTRUCTIONS': 'avx2', 'DNNL_MAX_CPU_ISA': 'AVX2'}
"""Environment variables that hold our operators and oneDNN to AVX2."""
_NAMES = {'AVX2': 'Intel AVX2'}  # value of DNNL_MAX_CPU_ISA -> what oneDNN then reports
_LIMIT = 'DNNL_MAX_CPU_ISA'
_CONVOLUTION = """
import gluon_cbam
import mxnet as mx
image, kernel = mx.nd.ones((1, 16, 8, 8)), mx.nd.ones((16, 16, 3, 3))
mx.nd.Convolution(image, kernel, kernel=(3, 3), num_filter=16, no_bias=True).wait_to_read()
"""


def onednn_instructions(environment: Dict[str, str]) -> str:
    """The instruction set that oneDNN reports with ``DNNL_VERBOSE``, in a process of its own.

    Args:
        environment: further environment variables.

    Raises:
        EnvironmentProblem: it is another one than ``DNNL_MAX_CPU_ISA`` in ``environment`` asks for.
    """
    found = _reported(frozenset(environment.items()))
    wanted = _NAMES.get(environment.get(_LIMIT, ''), found)
    if found != wanted:
        raise EnvironmentProblem(f'{_LIMIT}={environment[_LIMIT]}, but oneDNN uses {found}')
    return found


@lru_cache(maxsize=None)
def _reported(environment: FrozenSet[Tuple[str, str]]) -> str:
    variables = {**os.environ, **IMPORTABLE, **dict(environment), 'DNNL_VERBOSE': '1'}
    command = [sys.executable, '-W', 'ignore', '-c', _CONVOLUTION]
    said = subprocess.run(command, env=variables, capture_output=True, text=True, check=False).stdout
    match = re.search(r'^(?:dnnl|onednn)_verbose,info,cpu,isa:(.*)$', said, re.MULTILINE)
    return match.group(1) if match else 'unknown'
