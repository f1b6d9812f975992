"""What the commands share: options made from settings, errors of one line, progress, ``--json``."""

from __future__ import annotations

import functools
import json as json_module
import os
import sys
from contextlib import contextmanager
from typing import Any, Dict, List, Optional

import click

from gluon_cbam.common.errors import UsageError
from gluon_cbam.training.config.settings import flag
from gluon_cbam.training.config.train_config import SETTINGS


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
        from gluon_cbam.compat.versions import INSTALL_MXNET

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


class Option(click.Option):
    """An option with further flags that the help does not show, in a section of it."""

    def __init__(self, declarations, hidden_flags=(), section=None, **attributes):
        super().__init__([*declarations, *hidden_flags], **attributes)
        self._hidden_flags, self.section = hidden_flags, section

    def get_help_record(self, ctx):
        shown, self.opts = self.opts, [flag for flag in self.opts if flag not in self._hidden_flags]
        record = super().get_help_record(ctx)
        self.opts = shown
        if record and self.secondary_opts:
            record = (f'--[no-]{min(self.opts[0], self.secondary_opts[0], key=len)[2:]}', record[1])
        return record


class SectionedCommand(click.Command):
    """A command whose help groups the options by their sections."""

    def format_options(self, ctx, formatter):
        sections: Dict[str, list] = {}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record:
                sections.setdefault(getattr(parameter, 'section', None) or 'Other options', []).append(record)
        width = max(len(names) for records in sections.values() for names, _ in records)
        for title, records in sections.items():
            with formatter.section(title):  # one width, so that the columns of all sections stand below each other
                formatter.write_dl([(names.ljust(width), text) for names, text in records], col_max=width)


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


def _joined(entry) -> str:
    return ','.join(f'{value:g}' for value in entry.default_factory())


# kind of a setting -> attributes of its option
_KINDS = {
    str: lambda entry: {'type': str, 'default': entry.default},
    int: lambda entry: {'type': int, 'default': entry.default, 'metavar': 'N'},
    float: lambda entry: {'type': float, 'default': entry.default, 'metavar': 'X'},
    bool: lambda entry: {'default': entry.default},
    dict: lambda entry: {'multiple': True, 'callback': _key_values, 'metavar': 'KEY=VALUE'},
    tuple: lambda entry: {'multiple': True, 'callback': lambda ctx, param, texts: list(texts), 'metavar': 'PATTERN'},
    list: lambda entry: {'default': _joined(entry), 'callback': _numbers, 'metavar': 'X,X,...'},
}


def _setting(entry, section: Optional[str]) -> click.Option:
    """The option of a field of TrainConfig."""
    about, attributes = entry.metadata, _KINDS[entry.metadata['kind']](entry)
    default = attributes.get('default')
    attributes['show_default'] = default is not None and default is not False
    if about['optional']:
        attributes.update(is_flag=False, flag_value='')
    flags = about['flags'] or (flag(entry.name),)
    if about['kind'] is bool:
        on = flags[0][2:]
        flags = (f'--{on}/--{on[3:] if on.startswith("no-") else "no-" + on}', *flags[1:])
    return Option([entry.name, *flags], about['hidden'], section, help=about['help'], **attributes)


def _sections() -> Dict[str, str]:
    """The section of each setting."""
    sections, section = {}, None
    for name, entry in SETTINGS.items():
        section = entry.metadata['section'] or section
        sections[name] = section
    return sections


def settings_options(*names: str):
    """A decorator that adds options of TrainConfig, all without names."""
    sections = _sections()

    def add(function):
        for name in reversed(names or tuple(SETTINGS)):
            function.__dict__.setdefault('__click_params__', []).append(_setting(SETTINGS[name], sections[name]))
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


json_option = click.option('--json', 'as_json', is_flag=True, help='one JSON object on standard output')
debug_option = click.option('--debug', is_flag=True, expose_value=False, help='a traceback for an error')


def common_options(function):
    """Adds --json and --debug; the function returns (object for --json, text for people or None)."""

    @json_option
    @debug_option
    @functools.wraps(function)
    def run(as_json, **arguments):
        value, text = function(**arguments)
        if as_json or text is not None:
            click.echo(json_module.dumps(value, allow_nan=False) if as_json else text)

    return run


def progress_bar(items, total, text='', **look):
    """A progress line on a terminal."""
    from tqdm import tqdm

    return tqdm(items, total=total, desc=text, leave=False, disable=not sys.stderr.isatty(), file=sys.stderr, **look)


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


class ProgressLine:
    """The progress of a training run on a terminal, with the latest readings. See :func:`.training.run.train`."""

    def __call__(self, items, total, text):
        look = {'dynamic_ncols': True, 'bar_format': '{desc} |{bar}| {n_fmt}/{total_fmt}'}
        self._bar = progress_bar(items, total, text, **look)
        return self._bar

    def say(self, text: str) -> None:
        """Show a text in front of the bar from now on."""
        self._bar.set_description_str(text, refresh=False)


def show_log() -> None:
    """Show what the library logs: on a terminal, where a line shows the progress, not every interval."""
    import logging  # here, since most commands log nothing

    from tqdm import tqdm

    class Talk(logging.Handler):
        """Log lines on standard error, above the progress line."""

        def emit(self, record):
            tqdm.write(self.format(record), file=sys.stderr)

    handler = Talk(logging.INFO if sys.stderr.isatty() else logging.DEBUG)
    logging.getLogger('gluon_cbam').addHandler(handler)
