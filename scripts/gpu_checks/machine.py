"""The machine that the checks run on. Without mxnet, which may not be importable there."""

import os
import platform
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any, Dict, List, Optional

from gluon_cbam.benchmarks.report import processor
from gluon_cbam.compat import cuda, versions

_ROOT = Path(__file__).resolve().parents[2]
_PACKAGES = ('mxnet', 'mxnet-cu117', 'numpy', 'opencv-python', 'opencv-python-headless', 'gluon_cbam')
_QUERY = 'index,name,driver_version,compute_cap,memory.total,pcie.link.gen.current,clocks.max.sm,power.limit'
_VARIABLES = 'MXNET_', 'CBAM_', 'CUDA_', 'NCCL_', 'OMP_', 'NVIDIA_TF32'
_FEATURES = (
    'import gluon_cbam, mxnet as mx; '
    "print(mx.__version__, *(f.name for f in mx.runtime.Features().values() if f.enabled), sep=' ')"
)


def describe() -> Dict[str, Any]:
    """Processor, driver, GPUs and versions, as values for JSON; no names of the machine or its user."""
    return {
        'system': f'{platform.system()} {platform.release()} {platform.machine()}, {" ".join(platform.libc_ver())}',
        'processor': f'{processor()}, {len(os.sched_getaffinity(0))} CPUs',
        'python': platform.python_version(),
        'packages': {name: found for name in _PACKAGES + _nvidia() for found in [versions.installed(name)] if found},
        'mxnet': _output([sys.executable, '-W', 'ignore', '-c', _FEATURES]) or 'cannot be imported',
        'commit': _commit(),
        'compute_capabilities': ['.'.join(map(str, each)) for each in cuda.compute_capabilities()],
        'gpus': _gpus(),
        'variables': {name: os.environ[name] for name in sorted(os.environ) if name.startswith(_VARIABLES)},
    }


def _nvidia() -> tuple:
    names = (dist.metadata['Name'] or '' for dist in metadata.distributions())
    return tuple(sorted(name for name in names if name.startswith('nvidia-')))


def _gpus() -> List[str]:
    """A line of nvidia-smi for each GPU, the names of the columns first; empty without that program."""
    if not shutil.which('nvidia-smi'):
        return []
    return _output(['nvidia-smi', f'--query-gpu={_QUERY}', '--format=csv']).splitlines()


def _commit() -> str:
    """The commit of the checkout, and whether it was changed."""
    found = _output(['git', '-C', str(_ROOT), 'rev-parse', 'HEAD'])
    changed = _output(['git', '-C', str(_ROOT), 'status', '--porcelain', '--untracked-files=no'])
    return f'{found or "unknown"}{" with changes" if changed else ""}'


def _output(command: List[str]) -> str:
    """What a program prints; empty if it fails."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, cwd=_ROOT)
    except (OSError, subprocess.TimeoutExpired):
        return ''
    return done.stdout.strip() if done.returncode == 0 else ''


def usable_gpus(text: Optional[str]) -> str:
    """The GPUs to check, as ``--gpus`` of ``cbam`` takes them.

    Args:
        text: numbers that the user gave; default: every GPU that mxnet has code for.

    Returns:
        Their numbers, separated by commas; empty without any.
    """
    if text is not None:
        return text
    found = enumerate(cuda.compute_capabilities())
    return ','.join(str(number) for number, capability in found if cuda.has_code_for(capability))
