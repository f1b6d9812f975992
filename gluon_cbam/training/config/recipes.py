"""Files of settings: recipes, and the file of ``--config``. YAML or JSON; errors name the line of a setting.

A recipe has ``name``, ``description``, ``source`` (where its figures come from) and ``settings``; those that come with
the package are in the folder ``recipes`` here, and in a folder of that name in the package of a task. A configuration
file has the settings alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, List, Tuple

from gluon_cbam.common.documents import DocumentError, read_text
from gluon_cbam.common.errors import UsageError, closest
from gluon_cbam.tasks import TASKS

if TYPE_CHECKING:
    from gluon_cbam.common.yaml_documents import Lines, YamlDocument

_FOLDER = Path(__file__).with_suffix('')
_OF_TASKS = 'recipes'  # folder in the package of a task
_RECIPE = ('name', 'description', 'source', 'settings')


@dataclass(frozen=True)
class SettingsFile:
    """A file of settings.

    Attributes:
        path: the path of the file.
        values: the values by the name of the setting, as the file has them.
        lines: line of each value, from 1.
        about: ``name``, ``description`` and ``source`` of a recipe; empty for a configuration file.
    """

    path: str
    values: Dict[str, Any]
    lines: Dict[str, int]
    about: Dict[str, str]

    def where(self, name: str) -> str:
        """The name of a value in messages: ``path:line: name``."""
        return f'{self.path}:{self.lines[name]}: {name}'


def names() -> List[str]:
    """The recipes that come with the package, sorted."""
    return sorted(_paths())


def _paths() -> Dict[str, Path]:
    """The files of the recipes that come with the package, by name."""
    packages = dict.fromkeys(row.partition(':')[0].rpartition('.')[0] for row in TASKS.values())
    specs = [find_spec(package) for package in packages if package]
    places = [place for spec in specs if spec for place in spec.submodule_search_locations or ()]
    folders = [_FOLDER, *(Path(place) / _OF_TASKS for place in places)]
    return {path.stem: path for folder in folders for path in folder.glob('*.yaml')}


def read_recipe(recipe: str) -> SettingsFile:
    """Read a recipe.

    Args:
        recipe: one of :func:`names`, or the path of a file.

    Raises:
        UsageError: there is no such recipe, or the file is not one.
    """
    path = _recipe_path(recipe)
    document = _document(path)
    parts, lines = _mapping(path, document.value, document.lines)
    for name in parts:
        if name not in _RECIPE:
            raise UsageError(f'{path}:{lines[name]}: a recipe has {", ".join(_RECIPE)}, got {name}')
    missing = [name for name in _RECIPE if name not in parts]
    if missing:
        raise UsageError(f'{path}: a recipe has {", ".join(_RECIPE)}; {", ".join(missing)} is missing')
    values, lines = _mapping(path, parts['settings'], document.lines, ('settings',), lines['settings'])
    if 'recipe' in values:
        raise UsageError(f'{path}:{lines["recipe"]}: a recipe cannot start from another recipe')
    return SettingsFile(str(path), values, lines, {name: str(parts[name]) for name in _RECIPE[:3]})


def _recipe_path(recipe: str) -> Path:
    """The file of a recipe."""
    known = _paths()
    if recipe in known:
        return known[recipe]
    if Path(recipe).suffix or Path(recipe).is_file():
        return Path(recipe)
    raise UsageError(f'unknown recipe {recipe!r}: {closest(recipe, sorted(known))}; or give the path of a file')


def read_settings_file(path: str) -> SettingsFile:
    """Read a configuration file.

    Raises:
        UsageError: there is no such file, or it holds no settings.
    """
    document = _document(Path(path))
    return SettingsFile(path, *_mapping(Path(path), document.value, document.lines), {})


def _document(path: Path) -> YamlDocument:
    """The content of a file."""
    from gluon_cbam.common.yaml_documents import parse_yaml

    try:
        text = read_text(path, regular=False)
        if path.suffix == '.json':
            text = text.replace('\t', ' ')  # JSON is YAML, except for its tabs
        return parse_yaml(text, str(path))
    except OSError as error:
        raise UsageError(f'{path}: cannot be read: {error.strerror or error}') from None
    except DocumentError as error:
        line = f':{error.line}' if error.line else ''
        detail = f': {error.detail}' if error.detail else ''
        raise UsageError(f'{path}{line}: {error.problem}{detail}') from None


def _mapping(
    path: Path, values: Any, lines: Lines, parent: Tuple[str, ...] = (), line: int = 1
) -> Tuple[Dict[str, Any], Dict[str, int]]:
    """Values and lines of a mapping by name; dashes in a name are underscores, as on the command line."""
    if not isinstance(values, dict):
        place = '' if values is None else f':{line}'
        raise UsageError(f'{path}{place}: settings are lines of NAME: VALUE')
    named: Dict[str, Any] = {}
    places: Dict[str, int] = {}
    for key, value in values.items():
        name, line = key.replace('-', '_'), lines[(*parent, key)]
        if name in named:
            raise UsageError(f'{path}:{line}: {name} is given twice, first in line {places[name]}')
        named[name], places[name] = value, line
    return named, places
