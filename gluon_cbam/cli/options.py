"""Options of the commands, made from the fields of :class:`TrainConfig`, and their help, grouped by sections."""

from __future__ import annotations

import math
from dataclasses import Field
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple, TypeVar

import click

from gluon_cbam.common.errors import DataError, UsageError
from gluon_cbam.common.image_size import ImageSize, parse_image_size
from gluon_cbam.common.settings import default_of, flag
from gluon_cbam.training.config.train_config import SETTINGS

Decorated = TypeVar('Decorated', bound=Callable[..., Any])


class Option(click.Option):
    """An option with aliases that the help does not show, in a section of the help.

    Args:
        declarations: parameter name and flags, as :class:`click.Option` takes them.
        aliases: further flags, which the help does not show.
        section: title of the section of the help; None for the last one.
        **attributes: further arguments of :class:`click.Option`.
    """

    def __init__(
        self,
        declarations: Sequence[str],
        aliases: Sequence[str] = (),
        section: Optional[str] = None,
        **attributes: Any,
    ):
        super().__init__([*declarations, *aliases], **attributes)
        self._aliases, self.section = aliases, section

    def get_help_record(self, ctx: click.Context) -> Optional[Tuple[str, str]]:
        """The flags without aliases, on/off flags as ``--[no-]name``, and the help."""
        shown, self.opts = self.opts, [flag for flag in self.opts if flag not in self._aliases]
        record = super().get_help_record(ctx)
        self.opts = shown
        if record and self.secondary_opts:
            record = (f'--[no-]{min(self.opts[0], self.secondary_opts[0], key=len)[2:]}', record[1])
        return record


class NumberRange(click.FloatRange):
    """A range of numbers. NaN is in none; click takes it, since it is neither below nor above a limit."""

    def convert(self, value: Any, param: Optional[click.Parameter], ctx: Optional[click.Context]) -> Any:
        """See :meth:`click.ParamType.convert`."""
        number = super().convert(value, param, ctx)
        if math.isnan(number):
            self.fail(f'{number} is not in the range {self._describe_range()}.', param, ctx)
        return number


class ImageSizeType(click.ParamType):
    """One number of pixels, or height and width."""

    name = 'size'

    def convert(self, value: Any, param: Optional[click.Parameter], ctx: Optional[click.Context]) -> ImageSize:
        """See :meth:`click.ParamType.convert`."""
        return parse_image_size(value, param.opts[0] if param else self.name)


class SectionedCommand(click.Command):
    """A command whose help groups the options by their sections."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options, section by section."""
        sections: Dict[str, List[Tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record:
                sections.setdefault(getattr(parameter, 'section', None) or 'Other options', []).append(record)
        width = max(len(names) for records in sections.values() for names, _ in records)
        for title, records in sections.items():
            with formatter.section(title):  # one width, to align the columns of all sections
                formatter.write_dl([(names.ljust(width), text) for names, text in records], col_max=width)


def _key_values(ctx: click.Context, param: click.Parameter, pairs: Sequence[str]) -> Dict[str, Any]:
    """Parse repeated KEY=VALUE; each value is read as YAML."""
    from gluon_cbam.common.yaml_documents import parse_yaml

    options = {}
    for pair in pairs:
        key, equals, value = pair.partition('=')
        if not equals or not key:
            raise UsageError(f'{param.opts[0]} takes KEY=VALUE, got {pair!r}')
        try:
            options[key.strip().replace('-', '_')] = parse_yaml(value, pair).value
        except DataError as error:
            raise UsageError(f'{param.opts[0]} {error}') from None
    return options


def _numbers(ctx: click.Context, param: click.Parameter, text: str) -> List[float]:
    """Parse numbers separated by commas."""
    try:
        return [float(part) for part in text.split(',') if part.strip()]
    except ValueError:
        raise UsageError(f'{param.opts[0]} takes numbers separated by commas, got {text!r}') from None


# kind of a setting -> attributes of its option
_KINDS: Dict[Any, Callable[[Field], Dict[str, Any]]] = {
    str: lambda entry: {'type': str, 'default': entry.default},
    int: lambda entry: {'type': int, 'default': entry.default, 'metavar': 'N'},
    float: lambda entry: {'type': float, 'default': entry.default, 'metavar': 'X'},
    bool: lambda entry: {'default': entry.default},
    dict: lambda entry: {'multiple': True, 'callback': _key_values, 'metavar': 'KEY=VALUE'},
    tuple: lambda entry: {'multiple': True, 'callback': lambda ctx, param, texts: list(texts), 'metavar': 'PATTERN'},
    list: lambda entry: {
        'default': ','.join(f'{value:g}' for value in default_of(entry)), 'callback': _numbers, 'metavar': 'X,X,...',
    },
    ImageSize: lambda entry: {'type': ImageSizeType(), 'default': entry.default, 'metavar': 'N|H,W'},
}  # fmt: skip


def _option_of(entry: Field, section: Optional[str]) -> Option:
    """The option of a field of :class:`TrainConfig`."""
    about, attributes = entry.metadata, _KINDS[entry.metadata['kind']](entry)
    default = attributes.get('default')
    attributes['show_default'] = default is not None and default is not False and default != ''
    if about['optional_value']:
        attributes.update(is_flag=False, flag_value='')
    flags = about['flags'] or (flag(entry.name),)
    if about['kind'] is bool:
        on = flags[0][2:]
        flags = (f'--{on}/--{on[3:] if on.startswith("no-") else "no-" + on}', *flags[1:])
    return Option([entry.name, *flags], about['aliases'], section, help=about['help'], **attributes)


def _sections() -> Dict[str, Optional[str]]:
    """The section of each setting: a setting without one belongs to the section of the previous setting."""
    sections, section = {}, None
    for name, entry in SETTINGS.items():
        section = entry.metadata['section'] or section
        sections[name] = section
    return sections


def settings_options(*names: str) -> Callable[[Decorated], Decorated]:
    """Add options for settings of :class:`TrainConfig` to a command.

    Args:
        *names: names of the settings, in the order of the help; default all settings.

    Returns:
        A decorator.
    """
    sections = _sections()

    def add(function: Decorated) -> Decorated:
        for name in reversed(names or tuple(SETTINGS)):
            function.__dict__.setdefault('__click_params__', []).append(_option_of(SETTINGS[name], sections[name]))
        return function

    return add


def task_options() -> List[Option]:
    """The options for the settings that belong to tasks alone, each once, in sections ``Task NAME``."""
    from gluon_cbam.training.config.task_settings import own_settings

    options: Dict[str, Option] = {}
    for task, own in own_settings().items():
        section = f'Task {task}'
        for name, entry in own.items():
            section = entry.metadata['section'] or section
            options.setdefault(name, _option_of(entry, section))
    return list(options.values())


def add_options(options: Sequence[Callable[[Decorated], Decorated]]) -> Callable[[Decorated], Decorated]:
    """Add several options to a command.

    Args:
        options: decorators made by :func:`click.option`, in the order of the help.

    Returns:
        A decorator.
    """

    def add(function: Decorated) -> Decorated:
        for option in reversed(options):
            function = option(function)
        return function

    return add


force_option = click.option('--force', 'overwrite', is_flag=True, help='overwrite what exists')

weights_options = add_options(
    [
        click.option('--params', metavar='FILE', help='parameter file, or a run folder for its best checkpoint'),
        click.option('--pretrained', is_flag=False, flag_value='', metavar='[TAG]', help='published weights'),
    ]
)

card_options = add_options(
    [
        click.option('--root', metavar='DIR', help='folder of the store  [CBAM_HOME/models, MXNET_HOME/models, ...]'),
        click.option(
            '--registry',
            'registries',
            multiple=True,
            metavar='FILE|URL',
            help='further registry of cards; may be repeated',
        ),
        click.option('--offline', is_flag=True, default=None, help='download nothing  [CBAM_ZOO_OFFLINE]'),
    ]
)
"""For commands that locate the cards and files of published weights."""

depth_option = click.option(
    '--depth',
    type=click.IntRange(8, 16),
    metavar='BITS',
    help='bits that images of 16 bits a channel use, such as 12; scales them to 8  [16]',
)
"""For commands that decode images from files."""
