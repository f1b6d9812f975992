"""Errors that the user can act on, each with the exit code that ``cbam`` returns for it.

A message is one line with the value received and what to do about it. The classes also derive from the built-in
exception that Python users expect, so that ``except ValueError`` keeps working in a script.
"""

from __future__ import annotations

from typing import Iterable

_MAX_LISTED = 12  # names in a hint


class CbamError(Exception):
    """Base of the errors that this package raises on purpose."""

    exit_code = 1


class RunError(CbamError, RuntimeError):
    """The run itself failed: it diverged or ran out of memory."""


class UsageError(CbamError, ValueError):
    """An argument names something that does not exist, or contradicts another."""

    exit_code = 2


class EnvironmentProblem(CbamError, RuntimeError):
    """This machine or installation lacks what was requested."""

    exit_code = 3


class DependencyError(EnvironmentProblem, ImportError):
    """A package that is needed cannot be imported as it is installed."""


class DataError(CbamError, ValueError):
    """Data or weights are damaged, or do not fit the network."""

    exit_code = 4


class TransferError(CbamError, OSError):
    """The network or the disk failed."""

    exit_code = 5


class Interrupted(CbamError):
    """The run was stopped by a signal, after its state was saved.

    Args:
        message: one line.
        signum: the signal's number.
    """

    def __init__(self, message: str, signum: int) -> None:
        super().__init__(message)
        self.exit_code = 128 + signum


class MemberFailed(CbamError):
    """A process of a distributed job died, and the other processes were ended.

    Args:
        message: one line.
        exit_code: exit code of the whole job.
    """

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


def closest(value: str, known: Iterable[str]) -> str:
    """A hint for an unknown name.

    Args:
        value: the unknown name.
        known: the names that exist.

    Returns:
        ``did you mean ...?`` with up to three similar names, or ``known: ...`` with the first names if none is similar.
    """
    import difflib

    names = [str(name) for name in known]
    similar = difflib.get_close_matches(str(value), names, n=3, cutoff=0.6)
    if similar:
        return 'did you mean ' + ' or '.join(similar) + '?'
    more = ', ...' if len(names) > _MAX_LISTED else ''
    return 'known: ' + (', '.join(names[:_MAX_LISTED]) + more if names else 'none')
