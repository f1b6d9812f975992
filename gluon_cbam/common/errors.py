"""Errors that a person can act on, each with the exit code that ``cbam`` returns for it.

A message is one line that holds the value received and what to do about it. The classes also derive from the built-in
exception that Python users expect, so that ``except ValueError`` keeps working in a script.
"""

from __future__ import annotations

from typing import Iterable

_SHOWN = 12  # names in a hint


class CbamError(Exception):
    """Base of all errors raised on purpose by this package."""

    exit_code = 1


class RunError(CbamError, RuntimeError):
    """The run itself failed: it diverged or ran out of memory."""


class UsageError(CbamError, ValueError):
    """The caller asked for something that does not exist or contradicts itself."""

    exit_code = 2


class EnvironmentProblem(CbamError, RuntimeError):
    """This machine or installation lacks what was asked for."""

    exit_code = 3


class DependencyError(EnvironmentProblem, ImportError):
    """A package that is needed cannot be imported as it is installed."""


class DataError(CbamError, ValueError):
    """Data or weights are damaged, or do not fit the network."""

    exit_code = 4


class TransferError(CbamError, OSError):
    """The network or the disk failed."""

    exit_code = 5


class ZooError(CbamError, ValueError):
    """A card or a weight that is not there, or not what it says.

    Args:
        message: one line.
        exit_code: 2 when asked for what does not exist, 4 when damaged, 5 when the network or the disk failed.
    """

    def __init__(self, message: str, exit_code: int = 4):
        super().__init__(message)
        self.exit_code = exit_code


class Interrupted(CbamError):
    """The run was stopped by a signal, after its state was saved.

    Args:
        message: one line.
        signum: the signal's number.
    """

    def __init__(self, message: str, signum: int):
        super().__init__(message)
        self.exit_code = 128 + signum


class MemberFailed(CbamError):
    """A process of a job on several machines died, and the others were ended.

    Args:
        message: one line.
        exit_code: of the whole job.
    """

    def __init__(self, message: str, exit_code: int):
        super().__init__(message)
        self.exit_code = exit_code


def closest(value: str, known: Iterable[str]) -> str:
    """A hint that names what ``value`` was probably meant to be, or all of ``known`` when nothing is near."""
    import difflib

    known = [str(name) for name in known]
    near = difflib.get_close_matches(str(value), known, n=3, cutoff=0.6)
    if near:
        return 'did you mean ' + ' or '.join(near) + '?'
    more = ', ...' if len(known) > _SHOWN else ''
    return 'known: ' + (', '.join(known[:_SHOWN]) + more if known else 'none')
