"""Files of settings: recipes, and what ``--config`` reads. YAML or JSON; each setting keeps the line it stands on.

A recipe is a file of the folder ``recipes`` beside this one, or anybody's: ``name``, ``description`` and ``source``
(where its figures come from) beside its ``settings``. A configuration has the settings alone. Neither mxnet nor numpy
is imported here.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, List

from gluon_cbam.common.errors import UsageError, closest

FOLDER = Path(__file__).with_suffix('')
_RECIPE = ('name', 'description', 'source', 'settings')


@dataclass(frozen=True)
class SettingsFile:
    """A file of settings.

    Attributes:
        path: of the file.
        values: by name, as the file has them.
        lines: of the values, from 1.
        about: ``name``, ``description`` and ``source`` of a recipe.
    """

    path: str
    values: Dict[str, Any]
    lines: Dict[str, int]
    about: Dict[str, str]

    def where(self, name: str) -> str:
        """What messages call a value of the file."""
        return f'{self.path}:{self.lines[name]}: {name}'


def names() -> List[str]:
    """The recipes that come with the package."""
    return sorted(path.stem for path in FOLDER.glob('*.yaml'))


def read_recipe(recipe: str) -> SettingsFile:
    """Read a recipe.

    Args:
        recipe: one of :func:`names`, or the path of a file.

    Raises:
        UsageError: there is none, or it is no recipe.
    """
    if recipe in names():
        path = FOLDER / f'{recipe}.yaml'
    elif Path(recipe).suffix or Path(recipe).is_file():
        path = Path(recipe)
    else:
        raise UsageError(f'unknown recipe {recipe!r}: {closest(recipe, names())}; or give the path of a file')
    parts, lines = _mapping(str(path), _document(path))
    for name in parts:
        if name not in _RECIPE:
            raise UsageError(f'{path}:{lines[name]}: a recipe has {", ".join(_RECIPE)}, got {name}')
    missing = [name for name in _RECIPE if name not in parts]
    if missing:
        raise UsageError(f'{path}: a recipe has {", ".join(_RECIPE)}; {", ".join(missing)} is missing')
    values, lines = _mapping(str(path), parts['settings'])
    if 'recipe' in values:
        raise UsageError(f'{path}:{lines["recipe"]}: a recipe starts from no other')
    about = {name: str(parts[name].value) for name in _RECIPE[:3]}
    return SettingsFile(str(path), _plain(path, values), lines, about)


def read_config(path: str) -> SettingsFile:
    """Read a configuration file.

    Raises:
        UsageError: there is none, or it holds no settings.
    """
    values, lines = _mapping(path, _document(Path(path)))
    return SettingsFile(path, _plain(path, values), lines, {})


def _document(path: Path):
    """The YAML node of a file."""
    import yaml

    try:
        text = path.read_text(encoding='utf-8')
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f'{path}: cannot be read: {getattr(error, "strerror", None) or error}') from None
    if path.suffix == '.json':
        text = text.replace('\t', ' ')  # YAML has all of JSON but its tabs
    try:
        return yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, 'problem_mark', None)
        line = f':{mark.line + 1}' if mark else ''
        raise UsageError(f'{path}{line}: neither YAML nor JSON: {getattr(error, "problem", None) or error}') from None


def _mapping(path: str, node):
    """The nodes and lines of a mapping, by name; dashes in a name are underscores, as on the command line."""
    import yaml

    if not isinstance(node, yaml.MappingNode):
        line = f':{node.start_mark.line + 1}' if node else ''
        raise UsageError(f'{path}{line}: settings are lines of NAME: VALUE')
    nodes, lines = {}, {}
    for key, value in node.value:
        name, line = str(key.value).replace('-', '_'), key.start_mark.line + 1
        if name in nodes:
            raise UsageError(f'{path}:{line}: {name} stands there twice, first in line {lines[name]}')
        nodes[name], lines[name] = value, line
    return nodes, lines


def _plain(path, nodes) -> Dict[str, Any]:
    """The values of nodes."""
    import yaml

    maker = yaml.SafeLoader('')
    try:
        return {name: maker.construct_object(node, deep=True) for name, node in nodes.items()}
    except yaml.YAMLError as error:
        line = error.problem_mark.line + 1
        raise UsageError(f'{path}:{line}: neither YAML nor JSON: {error.problem}') from None
