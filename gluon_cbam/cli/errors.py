"""Errors of the command: one line on standard error, and the documented exit code."""

from __future__ import annotations

import os
import re
import signal
import sys
from typing import Any, List, NoReturn, Optional, Sequence, Tuple

import click

from gluon_cbam.common.errors import CbamError
from gluon_cbam.common.printable import printable
from gluon_cbam.common.signals import Terminated, unwinding

debug_option = click.option('--debug', is_flag=True, expose_value=False, help='show the traceback of an error')


class Group(click.Group):
    """A group of commands that reports an error as one line; with ``--debug``, as a traceback.

    Without a command, it prints its help on standard output and exits with 0; newer versions of click exit with 2.
    """

    def parse_args(self, ctx: click.Context, args: List[str]) -> List[str]:
        """Parse the arguments; without any, print the help."""
        if not args and not ctx.resilient_parsing:
            click.echo(ctx.get_help(), color=ctx.color)
            ctx.exit()
        return super().parse_args(ctx, args)

    def main(  # type: ignore[override]
        self, args: Optional[Sequence[str]] = None, prog_name: Optional[str] = 'cbam', **extra: Any
    ) -> NoReturn:
        """Run a command and exit.

        Args:
            args: command-line arguments; default ``sys.argv[1:]``.
            prog_name: name of the program, for the help.
            **extra: see :meth:`click.Command.main`.

        Raises:
            SystemExit: always, with the exit code.
        """
        arguments = list(sys.argv[1:] if args is None else args)
        try:
            with unwinding():
                super().main(args=arguments, prog_name=prog_name, **{**extra, 'standalone_mode': False})
            code = 0
        except click.exceptions.Exit as error:
            code = error.exit_code
        except BrokenPipeError:  # for instance `cbam ... | head`
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            code = 0
        except Exception as error:
            if '--debug' in arguments:
                raise
            message, code = _message_and_code(error)
            click.echo(f'cbam: {_one_line(error, message)}', err=True)
        sys.exit(code)


def _one_line(error: Exception, message: str) -> str:
    """A message on one line: ours whole, since a file's name may break it; the first line of others."""
    if isinstance(error, CbamError) and message.strip():
        return printable(message.strip())
    return printable(next((line for line in message.splitlines() if line.strip()), type(error).__name__))


def _message_and_code(error: Exception) -> Tuple[str, int]:
    """The message and the exit code of an error."""
    if isinstance(error, click.Abort):
        terminated = isinstance(error.__cause__ or error.__context__, Terminated)
        return ('terminated', 128 + signal.SIGTERM) if terminated else ('interrupted', 128 + signal.SIGINT)
    if isinstance(error, click.ClickException):
        context = getattr(error, 'ctx', None)
        hint = f' (see {context.command_path} --help)' if context else ''
        message = re.sub(r'\s*\n\s*', ' ', error.format_message())  # a list of choices has a line for each
        return message + hint, 2
    if hasattr(error, 'exit_code'):
        return str(error), error.exit_code
    if isinstance(error, ImportError):
        return _import_message(error), 3
    if isinstance(error, (OSError, ValueError)):
        return str(error), 5 if isinstance(error, OSError) else 2
    # MXNet's messages begin with a stack trace; the last line is the error
    last = (str(error).strip().splitlines() or [''])[-1]
    return f'{type(error).__name__}: {last} (--debug shows where)', 1


def _import_message(error: ImportError) -> str:
    """The message for a missing package, with the command that installs it."""
    if not isinstance(error, ModuleNotFoundError):
        return f"{error} ('cbam doctor' says what to do)"
    from gluon_cbam.compat.platforms import missing_package

    return missing_package(error.name)
