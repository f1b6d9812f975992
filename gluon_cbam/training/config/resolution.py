"""The settings of a run, layer over layer.

A new run: the defaults, then ``--recipe``, then ``--config``, then the flags of the command line. A run that is
continued: the defaults, then its ``config.yaml``, then the flags; a recipe or configuration that is given again must
say what the run was started with. Neither mxnet nor numpy is imported here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable, Dict, List, NamedTuple, Optional

from gluon_cbam.common.errors import UsageError, closest
from gluon_cbam.training.checkpoint.run_directory import holds_run, read_config, run_path

from .recipes import SettingsFile, read_recipe
from .recipes import read_config as read_config_file
from .settings import checked, default_of, flag
from .train_config import SETTINGS, TrainConfig


class _Layer(NamedTuple):
    """Settings of one origin, in their types.

    Attributes:
        origin: for people.
        values: by name.
    """

    origin: str
    values: Dict[str, Any]


@dataclass
class Resolved:
    """Every setting, and where it comes from.

    Attributes:
        settings: name -> value.
        origins: name -> ``default``, ``recipe NAME``, ``config FILE``, ``run FOLDER``, ``command line``, or
            ``replaced by`` another setting.
        about: ``name``, ``description`` and ``source`` of the recipe, if there is one.
    """

    settings: Dict[str, Any]
    origins: Dict[str, str]
    about: Dict[str, str]

    @property
    def config(self) -> TrainConfig:
        """The settings as :func:`gluon_cbam.training.train` takes them."""
        return TrainConfig(**self.settings)

    def as_dict(self) -> Dict[str, Any]:
        """The settings and their origins, those that files hold."""
        names = [name for name in self.settings if SETTINGS[name].metadata['in_files']]
        return {part: {name: getattr(self, part)[name] for name in names} for part in ('settings', 'origins')}

    def as_yaml(self) -> str:
        """A file for ``--config``, with the origins as comments."""
        import yaml

        lines = [f'# {name}: {" ".join(text.split())}' for name, text in self.about.items()]
        for name, value in self.as_dict()['settings'].items():
            text = yaml.safe_dump([value], default_flow_style=True, width=float('inf')).strip()[1:-1]
            lines.append(f'{name}: {text}  # {self.origins[name]}')
        return '\n'.join(lines)


def resolve(given: Dict[str, Any], config_file: Optional[str] = None) -> Resolved:
    """The settings of a run.

    Args:
        given: settings by name, as on the command line; ``recipe`` and ``resume`` may be among them.
        config_file: path of a YAML or JSON file with further ones.

    Raises:
        UsageError: an unknown name, a wrong value, two settings that exclude each other, or a recipe or file that
            contradicts the run to continue.
        DataError: the run to continue cannot be read.
    """
    flags = _Layer('command line', _checked(given, flag, files=False))
    layers, about = [], {}
    if config_file:
        file = read_config_file(config_file)
        layers.append(_Layer(f'config {config_file}', _of_file(file)))
    recipe = given.get('recipe') or (layers[0].values.get('recipe') if layers else None)
    if recipe:
        file = read_recipe(recipe)
        about = file.about
        layers.insert(0, _Layer(f'recipe {recipe}', _of_file(file)))
    resolved = _stack([*layers, flags], about)
    path = run_path(*(resolved.settings[name] for name in ('resume', 'output', 'network')))
    if given.get('resume') is None or path is None or not holds_run(path):
        return resolved
    run = _Layer(f'run {path}', _checked(read_config(path), lambda name: f'{path}/config.yaml: {name}'))
    continued = _stack([run, flags], about)
    _refuse_contradictions(layers, flags, run)
    continued.settings['output'] = str(path)
    return continued


def _of_file(file: SettingsFile) -> Dict[str, Any]:
    return _checked(file.values, file.where)


def _checked(values: Dict[str, Any], where: Callable[[str], str], files: bool = True) -> Dict[str, Any]:
    """Settings of one origin in their types; those that are null where there is a default are left out."""
    result = {}
    for name, value in values.items():
        entry = SETTINGS.get(name)
        if entry is None:
            raise UsageError(f'{where(name)} is not a setting: {closest(name, SETTINGS)}')
        if value is None and (default_of(entry) is not None or not entry.metadata['in_files']):
            continue
        if files and not entry.metadata['in_files']:
            raise UsageError(f'{where(name)} is for the command line only')
        result[name] = checked(where(name), value, entry)
    for name, other in _pairs():
        if result.get(name) is not None and result.get(other) is not None:
            raise UsageError(
                f'{where(name)} and {other if files else flag(other)} exclude each other: give one of them'
            )
    return result


def _pairs():
    """Settings that exclude each other."""
    return [(entry.metadata['instead_of'], name) for name, entry in SETTINGS.items() if entry.metadata['instead_of']]


_EXCLUDES = {one: other for pair in _pairs() for one, other in (pair, pair[::-1])}


def _stack(layers: List[_Layer], about: Dict[str, str]) -> Resolved:
    """Each layer over those before; a setting unsets the one that it excludes."""
    settings = {name: default_of(entry) for name, entry in SETTINGS.items()}
    origins = dict.fromkeys(SETTINGS, 'default')
    for layer in layers:
        for name, value in layer.values.items():
            settings[name], origins[name] = value, layer.origin
        for name, value in layer.values.items():
            if name in _EXCLUDES and value is not None:
                settings[_EXCLUDES[name]], origins[_EXCLUDES[name]] = None, f'replaced by {name}'
    return Resolved(settings, origins, about)


def _refuse_contradictions(layers: List[_Layer], flags: _Layer, run: _Layer) -> None:
    """Refuse a recipe or file that says something else than the run to continue, where no flag decides."""
    asked, has = _stack(layers, {}), _stack([run], {}).settings
    decided = {*flags.values, *(_EXCLUDES.get(name) for name in flags.values), 'output'} - {'recipe'}
    for name, value in {**asked.settings, 'recipe': flags.values.get('recipe', asked.settings['recipe'])}.items():
        origin = asked.origins[name] if name != 'recipe' else '--recipe'
        if name not in decided and origin != 'default' and value is not None and value != has[name]:
            raise UsageError(
                f'{origin} has {name} {value!r}, but {run.origin} has {has[name]!r}: leave it out, or say {flag(name)}'
            )
