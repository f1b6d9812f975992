"""Files of settings: recipes, and the file of ``--config``. YAML or JSON; errors name the line of a setting.

A recipe has ``name``, ``description``, ``source`` (where its figures come from) and ``settings``; those that come with
the package are in the folder ``recipes`` here, and in a folder of that name in the package of a task. A configuration
file has the settings alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, List, Optional, Tuple

from gluon_cbam.common.errors import UsageError, closest
from gluon_cbam.tasks import TASKS

if TYPE_CHECKING:
    import yaml

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
    parts, lines = _mapping(str(path), _document(path))
    for name in parts:
        if name not in _RECIPE:
            raise UsageError(f'{path}:{lines[name]}: a recipe has {", ".join(_RECIPE)}, got {name}')
    missing = [name for name in _RECIPE if name not in parts]
    if missing:
        raise UsageError(f'{path}: a recipe has {", ".join(_RECIPE)}; {", ".join(missing)} is missing')
    values, lines = _mapping(str(path), parts['settings'])
    if 'recipe' in values:
        raise UsageError(f'{path}:{lines["recipe"]}: a recipe cannot start from another recipe')
    about = {name: str(parts[name].value) for name in _RECIPE[:3]}
    return SettingsFile(str(path), _plain(path, values), lines, about)


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
    values, lines = _mapping(path, _document(Path(path)))
    return SettingsFile(path, _plain(path, values), lines, {})


def _document(path: Path) -> Optional[yaml.Node]:
    """The YAML node of a file; None for an empty file."""
    import yaml

    try:
        text = path.read_text(encoding='utf-8')
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f'{path}: cannot be read: {getattr(error, "strerror", None) or error}') from None
    if path.suffix == '.json':
        text = text.replace('\t', ' ')  # JSON is YAML, except for its tabs
    try:
        return yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, 'problem_mark', None)
        line = f':{mark.line + 1}' if mark else ''
        raise UsageError(f'{path}{line}: neither YAML nor JSON: {getattr(error, "problem", None) or error}') from None


def _mapping(path: str, node: Optional[yaml.Node]) -> Tuple[Dict[str, yaml.Node], Dict[str, int]]:
    """Nodes and lines of a mapping by name; dashes in a name are underscores, as on the command line."""
    import yaml

    if not isinstance(node, yaml.MappingNode):
        line = f':{node.start_mark.line + 1}' if node else ''
        raise UsageError(f'{path}{line}: settings are lines of NAME: VALUE')
    nodes: Dict[str, yaml.Node] = {}
    lines: Dict[str, int] = {}
    for key, value in node.value:
        name, line = str(key.value).replace('-', '_'), key.start_mark.line + 1
        if name in nodes:
            raise UsageError(f'{path}:{line}: {name} is given twice, first in line {lines[name]}')
        nodes[name], lines[name] = value, line
    return nodes, lines


def _plain(path: Any, nodes: Dict[str, yaml.Node]) -> Dict[str, Any]:
    """The values of nodes, as Python objects."""
    import yaml

    loader = yaml.SafeLoader('')
    try:
        return {name: loader.construct_object(node, deep=True) for name, node in nodes.items()}
    except yaml.constructor.ConstructorError as error:
        line = f':{error.problem_mark.line + 1}' if error.problem_mark else ''
        raise UsageError(f'{path}{line}: neither YAML nor JSON: {error.problem}') from None
