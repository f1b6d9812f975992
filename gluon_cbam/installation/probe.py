"""A package imported in a process of its own, since a broken installation can crash the process that imports it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Dict, NamedTuple, Optional

from gluon_cbam.common import errors

from .installers import Command

RUN_MXNET = 'mxnet.nd.ones(3).asnumpy(); print(mxnet.__version__)'
"""Code that runs one operator of mxnet and prints its version."""
_SECONDS = 120
_ROOT = str(Path(__file__).parents[2])


def python_code(code: str) -> Command:
    """The command that runs code in a fresh Python with the package ``gluon_cbam`` that runs here.

    ``python -c`` and ``python -m`` take modules from the current directory first, for instance from a clone.
    """
    path = f'import sys; sys.path[:] = [*filter(None, sys.path), {_ROOT!r}]'
    return (sys.executable, '-W', 'ignore', '-c', f'{path}; {code}')


class Probe(NamedTuple):
    """The result.

    Attributes:
        ok: whether the import and the code ran.
        text: what the code printed, or the reason in one line.
        remedy: what the error itself says to do; empty if it does not.
    """

    ok: bool
    text: str
    remedy: str = ''


def probe(module: str, code: str, environment: Optional[Dict[str, str]] = None) -> Probe:
    """Import a module in a fresh process, after gluon_cbam, and run a line of code with it.

    Args:
        module: dotted name.
        code: statements.
        environment: variables that the process has in addition.
    """
    try:
        done = subprocess.run(
            python_code(f'import gluon_cbam, {module}; {code}'), capture_output=True, text=True, timeout=_SECONDS,
            check=False, env={**os.environ, **(environment or {})},
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return Probe(False, f'import {module} does not end')
    if done.returncode == 0:
        return Probe(True, done.stdout.strip())
    reason = (done.stderr.strip().splitlines() or [f'exit code {done.returncode}'])[-1]
    kind, _, message = reason.partition(': ')
    if kind == f'{errors.__name__}.DependencyError':  # the message includes the remedy
        return Probe(False, 'cannot be imported', message)
    ours = kind.startswith(f'{errors.__name__}.')
    return Probe(False, message if ours else reason)
