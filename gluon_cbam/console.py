"""What the commands share: options made from settings, errors of one line, progress, ``--json``."""

from __future__ import annotations

import functools
import json as json_module
import logging
import os
import sys
from contextlib import contextmanager
from dataclasses import fields
from typing import Any, Dict, List

import click

from .errors import UsageError
from .training.config import TrainConfig


class Group(click.Group):
    """A group whose errors are one line each, with the exit codes of the documentation."""

    def main(self, args=None, prog_name='cbam', **kwargs):
        arguments = list(sys.argv[1:] if args is None else args)
        try:
            super().main(args=arguments, prog_name=prog_name, **{**kwargs, 'standalone_mode': False})
            code = 0
        except click.exceptions.Exit as error:
            code = error.exit_code
        except BrokenPipeError:  # of `cbam ... | head`
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            code = 0
        except Exception as error:
            if '--debug' in arguments:
                raise
            code = _report(error)
        sys.exit(code)


def _report(error: Exception) -> int:
    """Print one line about an error; returns its exit code."""
    if isinstance(error, click.Abort):
        message, code = 'interrupted', 130
    elif isinstance(error, click.ClickException):
        context = getattr(error, 'ctx', None)
        hint = f' (see {context.command_path} --help)' if context else ''
        message, code = error.format_message() + hint, 2
    elif hasattr(error, 'exit_code'):
        message, code = str(error), error.exit_code
    elif isinstance(error, ModuleNotFoundError):
        from .compat.versions import INSTALL_MXNET

        remedy = INSTALL_MXNET if error.name == 'mxnet' else f'pip install {error.name}'
        message, code = f'{error.name} is not installed: {remedy}', 3
    elif isinstance(error, ImportError):
        message, code = f"{error} ('cbam doctor' says what to do)", 3
    elif isinstance(error, OSError):
        message, code = str(error), 5
    elif isinstance(error, ValueError):
        message, code = str(error), 2
    else:  # MXNet's messages begin with a stack trace and end with what happened
        last = (str(error).strip().splitlines() or [''])[-1]
        message, code = f'{type(error).__name__}: {last} (--debug shows where)', 1
    first = next((line for line in message.splitlines() if line.strip()), type(error).__name__)
    click.echo(f'cbam: {first}', err=True)
    return code


class _Option(click.Option):
    """An option with further flags that the help does not show."""

    def __init__(self, declarations, hidden_flags=(), **attributes):
        super().__init__([*declarations, *hidden_flags], **attributes)
        self._hidden_flags = hidden_flags

    def get_help_record(self, ctx):
        shown, self.opts = self.opts, [flag for flag in self.opts if flag not in self._hidden_flags]
        record = super().get_help_record(ctx)
        self.opts = shown
        return record


def _key_values(ctx, param, pairs) -> Dict[str, Any]:
    import yaml

    options = {}
    for pair in pairs:
        key, equals, value = pair.partition('=')
        if not equals or not key:
            raise UsageError(f'{param.opts[0]} takes KEY=VALUE, got {pair!r}')
        options[key.strip().replace('-', '_')] = yaml.safe_load(value)
    return options


def _numbers(ctx, param, text: str) -> List[float]:
    try:
        return [float(part) for part in text.split(',') if part.strip()]
    except ValueError:
        raise UsageError(f'{param.opts[0]} takes numbers separated by commas, got {text!r}') from None


def _setting(entry) -> click.Option:
    """The option of a field of TrainConfig."""
    about, kind = entry.metadata, entry.metadata['kind']
    flags = about['flags'] or ('--' + entry.name.replace('_', '-'),)
    extra = {'type': kind, 'default': entry.default}
    if about['optional']:
        extra.update(is_flag=False, flag_value='')
    if kind is dict:
        extra = {'multiple': True, 'callback': _key_values, 'metavar': 'KEY=VALUE'}
    elif kind is tuple:
        extra = {'multiple': True, 'callback': lambda ctx, param, texts: list(texts), 'metavar': 'PATTERN'}
    elif kind is bool:
        flags = (f'{flags[0]}/--no-{flags[0][2:]}',)
        extra = {'default': entry.default}
    elif kind is list:
        default = ','.join(f'{value:g}' for value in entry.default_factory())
        extra = {'default': default, 'callback': _numbers, 'metavar': 'N,N,...'}
    shown = extra.get('default') is not None
    return _Option([entry.name, *flags], about['hidden'], help=about['help'], show_default=shown, **extra)


_SETTINGS = {entry.name: entry for entry in fields(TrainConfig)}


def settings_options(*names: str):
    """A decorator that adds options of TrainConfig, all without names."""

    def add(function):
        for name in reversed(names or tuple(_SETTINGS)):
            function.__dict__.setdefault('__click_params__', []).append(_setting(_SETTINGS[name]))
        return function

    return add


_WEIGHTS = [
    click.option('--params', metavar='FILE', help='parameter file, or a run folder for its best checkpoint'),
    click.option('--pretrained', is_flag=False, flag_value='', metavar='[TAG]', help='published weights'),
]


def weights_options(function):
    """Adds --params and --pretrained."""
    for option in reversed(_WEIGHTS):
        function = option(function)
    return function


def common_options(function):
    """Adds --json and --debug; the function returns (object for --json, text for people)."""

    @click.option('--json', 'as_json', is_flag=True, help='one JSON object on standard output')
    @click.option('--debug', is_flag=True, help='a traceback for an error')
    @functools.wraps(function)
    def run(as_json, debug, **arguments):
        value, text = function(**arguments)
        click.echo(json_module.dumps(value, allow_nan=False) if as_json else text)

    return run


def progress_bar(items, total, text=''):
    """A progress line on a terminal."""
    from tqdm import tqdm

    return tqdm(items, total=total, desc=text, leave=False, disable=not sys.stderr.isatty(), file=sys.stderr)


@contextmanager
def byte_progress(text: str):
    """A progress line on a terminal; gives a function of (bytes that are here, all bytes or None)."""
    from tqdm import tqdm

    hidden = not sys.stderr.isatty()
    with tqdm(desc=text, unit='B', unit_scale=True, leave=False, disable=hidden, file=sys.stderr) as line:

        def show(done, total):
            line.total = total
            line.update(done - line.n)

        yield show


class _Talk(logging.Handler):
    """Log lines on standard error, above the progress line."""

    def emit(self, record):
        from tqdm import tqdm

        tqdm.write(self.format(record), file=sys.stderr)


def show_log() -> None:
    """Show what the library logs: on a terminal, where a line shows the progress, not every interval."""
    handler = _Talk(logging.INFO if sys.stderr.isatty() else logging.DEBUG)
    logging.getLogger('gluon_cbam').addHandler(handler)
