"""What the documents name exists: files, scripts, extras, commands with their options, modules and public names."""

import configparser
import re
import shlex
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

import click
import pytest

from gluon_cbam.cli.main import cli

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted(
    [*ROOT.glob('*.md'), *(ROOT / 'docs').rglob('*.md')], key=lambda path: path.relative_to(ROOT).as_posix()
)
PAGES = [path.relative_to(ROOT).as_posix() for path in DOCUMENTS]
_FENCE = re.compile(r'^```+ *(\w*)[^\n]*\n(.*?)^```+ *$', re.MULTILINE | re.DOTALL)
_COMMAND = re.compile(r'(cbam|scripts/\w+|python|pip|horovodrun|PYTHON=\S+)( |$)')
_LINK = re.compile(r'\[[^\]]*\]\(([^)\s]+)\)')
_BASE = {'changelog.md': ROOT, 'contributing.md': ROOT}


@pytest.fixture(params=PAGES)
def page(request):
    return ROOT / request.param


def code_blocks(text, *kinds):
    return [code for kind, code in _FENCE.findall(text) if kind in kinds]


def command_lines(text):
    """Command lines of a page's blocks, with or without ``$`` before them; comments and output left out."""
    for code in code_blocks(text, '', 'console'):
        for line in code.replace('\\\n', ' ').splitlines():
            command = re.sub(r'\s+#.*$', '', line.strip())
            if command.startswith('$ '):
                command = command[2:]
            if _COMMAND.match(command):
                yield command


def check_cbam(words):
    """Walk from the group to the command, and let its parser read the arguments; nothing runs."""
    command, context = cli, click.Context(cli, info_name='cbam')
    while isinstance(command, click.Group):
        name = words.pop(0)
        member = command.get_command(context, name)
        assert member is not None, f'{context.command_path} has no command {name}'
        command, context = member, click.Context(member, info_name=name, parent=context)
    inner = words[words.index('--') + 1 :] if '--' in words else []
    outer = words[: words.index('--')] if '--' in words else words
    values, _, order = command.make_parser(context).parse_args(list(outer))
    for parameter in order:  # values of a list of words: one of them
        given = isinstance(values.get(parameter.name), (str, list, tuple))  # click marks an argument that is left out
        if isinstance(parameter.type, click.Choice) and given:
            parameter.type_cast_value(context, values[parameter.name])
    if inner[:1] == ['cbam']:
        check_cbam(inner[1:])


def test_the_commands_exist(page):
    for command in command_lines(page.read_text()):
        words = shlex.split(command)
        if words[0].startswith('PYTHON='):
            words = words[1:]
        if words[0] == 'cbam':
            check_cbam(words[1:])
        elif words[0].startswith('scripts/'):
            assert (ROOT / words[0]).is_file(), command
        elif words[:2] == ['python', '-m']:
            assert find_spec(words[2]), command
        elif words[0] == 'python' and not words[1].startswith('-'):
            assert (ROOT / words[1]).is_file(), command


def test_the_extras_exist(page):
    setup = configparser.ConfigParser()
    setup.read(ROOT / 'setup.cfg')
    extras = set(setup['options.extras_require'])
    for names in re.findall(r"pip install '(?:\.|gluon_cbam)\[([\w,]+)\]'", page.read_text()):
        assert set(names.split(',')) <= extras, names


def test_the_links_lead_somewhere(page):
    """Those between files; those to other places are only read, since nothing is fetched."""
    folder = _BASE.get(page.name, page.parent)
    for target in _LINK.findall(re.sub(r'^```.*?^```', '', page.read_text(), flags=re.MULTILINE | re.DOTALL)):
        parts = urlsplit(target)
        if parts.scheme:
            assert parts.scheme in ('http', 'https'), target
            assert '.' in parts.netloc and ' ' not in target, target
        elif parts.path and not generated(folder / parts.path):
            assert (folder / parts.path).exists(), target


def generated(path):
    """Whether a page or picture is made while the site is built, whose links Sphinx checks."""
    place = path.resolve().relative_to(ROOT).as_posix()
    return place.startswith(('docs/reference/api/', 'docs/reference/commands/')) or place == 'docs/develop/imports.png'


def test_the_scripts_exist(page):
    for name in re.findall(r'`(scripts/[\w./]+)`', page.read_text()):
        assert (ROOT / name).exists(), name


@pytest.mark.filterwarnings('error:.*the old name will be removed in the next release:DeprecationWarning')
def test_the_imports_work(page):
    """Each import in a block of Python, and each public name that it uses of the package itself; no old names."""
    for code in code_blocks(page.read_text(), 'python'):
        for module, names in re.findall(r'^from (gluon_cbam[\w.]*) import ([\w, ]+)$', code, re.MULTILINE):
            if module == 'gluon_cbam.adapters.insightface_config':  # imports insightface's own config
                assert find_spec(module)
                continue
            for name in names.split(', '):
                assert hasattr(import_module(module), name), f'{module}.{name}'
        for path in re.findall(r'\bgluon_cbam((?:\.[a-zA-Z_]\w*)+)(?= ?[(,)]|$)', code, re.MULTILINE):
            found = import_module('gluon_cbam')
            for name in path[1:].split('.'):
                if not hasattr(found, name):
                    found = import_module(f'gluon_cbam{path}')
                    break
                found = getattr(found, name)


def test_dependencies_point_down_the_table_of_packages(monkeypatch):
    """CONTRIBUTING's table: a package imports those of its row and of the rows below, and every package is in it."""
    monkeypatch.syspath_prepend(str(ROOT / 'scripts'))
    import import_graph

    text = (ROOT / 'CONTRIBUTING.md').read_text()
    rows = [re.findall(r'`(\w+)`', line.split('|')[1]) for line in text.splitlines() if line.startswith('| `')]
    row_of = {package: number for number, names in enumerate(rows) for package in names}
    graph = import_graph.package_graph(import_graph.module_graph(ROOT))
    imports = {short(name): {short(target) for target in targets} for name, targets in graph.items()}
    assert set(row_of) == set(imports) - {'gluon_cbam', 'gluoncv', '__main__'}
    for name, row in row_of.items():
        above = {target for target in imports[name] & set(row_of) if row_of[target] < row}
        assert not above, f'{name} imports {above}, which stand above it'


def short(name):
    return name.partition('.')[2] or name


def test_the_readme_is_short():
    text = (ROOT / 'README.md').read_text()
    assert len(text.splitlines()) < 200
    assert text.index('## My photographs') < text.index('## ImageNet') < text.index('## Explain')


@pytest.mark.parametrize('line', ['cbam train --networks x', 'cbam tarin', 'cbam launch -n 2 -- cbam train --nothing'])
def test_a_wrong_command_is_found(line):
    with pytest.raises((click.ClickException, AssertionError)):
        check_cbam(shlex.split(line)[1:])
