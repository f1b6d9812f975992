"""Pages of the command-line reference, a page for each command of ``cbam``, written from click's own objects."""

import re
from pathlib import Path

import click

FOLDER = Path(__file__).resolve().parents[1] / 'reference' / 'commands'


def escaped(text):
    return re.sub(r'([\\*`|_<>])', r'\\\1', ' '.join(text.split()))


def paragraphs(text):
    """The paragraphs of a help text; one that is a command line becomes a block of code."""
    for paragraph in re.split(r'\n\s*\n', (text or '').strip()):
        line = ' '.join(paragraph.split())
        yield f'.. code-block:: console\n\n   $ {line}\n\n' if line.startswith('cbam ') else escaped(line) + '\n\n'


def option_sections(command, context):
    """Section -> the (flags, help) of its options, in the order of ``--help``."""
    from gluon_cbam.cli.options import SectionedCommand

    sections = {}
    for parameter in command.get_params(context):
        if isinstance(parameter, click.Option):
            record = parameter.get_help_record(context)
            if record:
                sections.setdefault(getattr(parameter, 'section', None) or 'Other options', []).append(record)
    if not isinstance(command, SectionedCommand):  # whose help is one list
        sections = {'Options': [record for records in sections.values() for record in records]}
    return sections


def command_text(command, context, mark):
    path = context.command_path
    usage = ' '.join(command.collect_usage_pieces(context))
    text = f'{path}\n{mark * len(path)}\n\n' + ''.join(paragraphs(command.help))
    text += f'.. code-block:: text\n\n   {path} {usage}\n\n.. program:: {path}\n\n'
    for title, records in option_sections(command, context).items():
        text += f'.. rubric:: {title}\n\n'
        text += ''.join(f'.. option:: {flags}\n\n   {escaped(help_text)}\n\n' for flags, help_text in records)
    return text


def page(name, command, parent):
    context = click.Context(command, info_name=name, parent=parent)
    if not isinstance(command, click.Group):
        return command_text(command, context, '=')
    text = f'{context.command_path}\n{"=" * len(context.command_path)}\n\n' + ''.join(paragraphs(command.help))
    for child in command.list_commands(context):
        member = command.get_command(context, child)
        text += command_text(member, click.Context(member, info_name=child, parent=context), '-')
    return text


def index(cli, context):
    text = 'Command-line reference\n======================\n\n'
    text += '.. code-block:: console\n\n   $ cbam COMMAND --help\n\n'
    text += 'prints what these pages hold. :doc:`/reference/files` has what ``--json`` prints, and the exit codes.\n\n'
    text += '.. list-table::\n   :widths: auto\n\n'
    for name in cli.commands:
        first = next(paragraphs(cli.commands[name].help)).strip()
        text += f'   * - :doc:`cbam {name} <{name}>`\n     - {first}\n'
    return text + '\n.. toctree::\n   :hidden:\n\n' + ''.join(f'   {name}\n' for name in cli.commands)


def generate(app):
    from api_reference import write

    from gluon_cbam.cli.main import cli

    FOLDER.mkdir(parents=True, exist_ok=True)
    context = click.Context(cli, info_name='cbam', **cli.context_settings)
    for old in FOLDER.glob('*.rst'):
        if old.stem not in (*cli.commands, 'index'):
            old.unlink()
    for name, command in cli.commands.items():
        write(FOLDER / f'{name}.rst', page(name, command, context))
    write(FOLDER / 'index.rst', index(cli, context))


def setup(app):
    app.connect('builder-inited', generate)
    return {'version': '1', 'parallel_read_safe': True}
