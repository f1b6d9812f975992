"""The programs that install packages into the environment of this Python, and what their failures mean."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from typing import NamedTuple, NoReturn, Sequence, Tuple, Type

from gluon_cbam.common.errors import CbamError, DataError, EnvironmentProblem, TransferError

Command = Tuple[str, ...]


class Installer(NamedTuple):
    """A program that installs packages.

    Attributes:
        name: ``pip`` or ``uv``.
        install: the command before requirements and options, which pip and uv have in common.
        fetch: the command that downloads and verifies, before a folder and what ``install`` takes; it leaves the
            environment alone.
        fetched: options of ``install`` that take what was fetched, before the same folder; none follows for uv, which
            has it in its cache.
        uninstall: the command before the names of distributions.
    """

    name: str
    install: Command
    fetch: Command
    fetched: Command
    uninstall: Command

    def from_folder(self, folder: str) -> Command:
        """The options of ``install`` that take what was fetched into a folder."""
        return (*self.fetched, folder) if self.fetched[-1] == '--find-links' else self.fetched


def find_installer() -> Installer:
    """Choose pip if this environment has it, else uv from the ``PATH``.

    Raises:
        EnvironmentProblem: there is neither.
    """
    if importlib.util.find_spec('pip') is not None:
        pip = (sys.executable, '-m', 'pip', '--disable-pip-version-check', '--no-input')
        return Installer(
            'pip',
            (*pip, 'install'),
            (*pip, 'download', '--dest'),
            ('--no-index', '--find-links'),
            (*pip, 'uninstall', '--yes'),
        )
    uv = shutil.which('uv')
    if uv is None:
        raise EnvironmentProblem(
            f'{sys.executable} has no pip, and there is no uv on the PATH: {sys.executable} -m ensurepip --upgrade'
        )
    here = ('--python', sys.executable)
    return Installer(
        'uv',
        (uv, 'pip', 'install', *here),
        (uv, 'pip', 'install', *here, '--target'),
        ('--offline',),
        (uv, 'pip', 'uninstall', *here),
    )


class _Failure(NamedTuple):
    """What a line of output means; the first row that matches counts."""

    pattern: str
    error: Type[CbamError]
    text: str


_FAILURES = (
    _Failure(
        r'do not match the hashes|hash mismatch',
        DataError,
        'is not the published file, since its SHA-256 differs (nothing was installed): look at the index or mirror '
        'that it comes from',
    ),
    _Failure(
        r'externally.managed',
        EnvironmentProblem,
        "cannot be installed into the system's Python: make an environment with 'python3 -m venv' and install there",
    ),
    _Failure(
        r'permission denied|access is denied|read-only file system',
        EnvironmentProblem,
        "cannot be installed, since this environment may not be written to: make one with 'python3 -m venv'",
    ),
    _Failure(r'no space left', TransferError, 'cannot be installed, the disk is full: free some space'),
    _Failure(
        r'no matching distribution|no solution found|could not find a version|not found in the package registry'
        r'|connect|retries|timed? ?out|name resolution|dns error|\bssl|proxy|http error|network|offline',
        TransferError,
        'cannot be downloaded ({reason}): look at the network, the proxy and the index (PIP_INDEX_URL or '
        'UV_DEFAULT_INDEX), then repeat',
    ),
)


_ELSEWHERE = ('PIP_DRY_RUN', 'PIP_TARGET', 'PIP_PREFIX', 'PIP_ROOT')


def run(command: Sequence[str], what: str) -> None:
    """Run a command of an installer.

    Args:
        command: the command.
        what: what it installs or removes, for the message.

    Raises:
        DataError: a hash differs.
        TransferError: the network or the disk failed, or the index does not have it.
        EnvironmentProblem: anything else.
    """
    # these would let it install elsewhere, or nothing, and report success
    environment = {name: value for name, value in os.environ.items() if name not in _ELSEWHERE}
    done = subprocess.run(
        list(command),
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors='replace',
        check=False,
    )
    if done.returncode:
        _fail(done.stdout, what, done.returncode)


def _fail(output: str, what: str, code: int) -> NoReturn:
    """Raise the error that the output of a command tells of."""
    lines = [line.strip() for line in output.splitlines() if line.strip()] or [f'exit code {code}']
    reasons = [line for line in lines if re.match(r'(?i)error\b|cause:', line)] or lines
    for failure in _FAILURES:
        if re.search(failure.pattern, output, re.IGNORECASE):
            raise failure.error(f'{what} {failure.text.format(reason=reasons[-1])}')
    raise EnvironmentProblem(f'{what} failed: {reasons[-1]}')
