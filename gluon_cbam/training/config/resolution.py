"""The settings of a run, merged from their sources; each source overrides those before.

A new run: the defaults, ``--recipe``, ``--config``, the flags of the command line. A run that is resumed: the defaults,
its ``config.yaml``, the flags; a recipe or file that is given again must agree with the run.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Callable, Dict, List, Mapping, NamedTuple, Optional, Tuple

from gluon_cbam.common.errors import UsageError, closest
from gluon_cbam.common.settings import default_of, flag, validated

from .recipes import SettingsFile, read_recipe, read_settings_file
from .saved_run import holds_run, no_run_to_resume, read_config, run_path
from .task_settings import config_class, entry_of, own_settings, refuse_foreign, settings_of
from .train_config import SETTINGS, TrainConfig

_FLAGS = 'command line'
_REPLACED_BY = 'replaced by '


class _Source(NamedTuple):
    """Settings of one source, in their types.

    Attributes:
        name: the name of the source, human-readable.
        values: the values by the name of the setting.
    """

    name: str
    values: Dict[str, Any]


@dataclass
class ResolvedSettings:
    """Every setting, and the source of its value.

    Attributes:
        settings: name -> value.
        origins: name -> ``default``, ``recipe NAME``, ``config FILE``, ``run FOLDER``, ``command line``, or
            ``replaced by`` another setting.
        about: ``name``, ``description`` and ``source`` of the recipe; empty without one.
    """

    settings: Dict[str, Any]
    origins: Dict[str, str]
    about: Dict[str, str]

    @property
    def config(self) -> TrainConfig:
        """The settings as :func:`gluon_cbam.training.train` takes them."""
        return config_class(self.settings['task'])(**self.settings)

    def filled(self, values: Mapping[str, Tuple[Any, str]]) -> ResolvedSettings:
        """The settings, with the values that a run takes where they leave them open.

        Args:
            values: name of the setting -> value and source. A setting that another replaces stays as it is, so that the
                settings are still a configuration; its origin then has the value.
        """
        settings, origins = dict(self.settings), dict(self.origins)
        for name, (value, source) in values.items():
            if settings[name] is None and origins[name].startswith(_REPLACED_BY):
                origins[name] += f': {value:g}'
            elif settings[name] is None:
                settings[name], origins[name] = value, source
        return replace(self, settings=settings, origins=origins)

    def as_dict(self) -> Dict[str, Any]:
        """``settings`` and ``origins`` of the settings that files may have."""
        known = settings_of(self.settings['task'])
        names = [name for name in self.settings if known[name].metadata['in_files']]
        return {part: {name: getattr(self, part)[name] for name in names} for part in ('settings', 'origins')}

    def as_yaml(self) -> str:
        """A file for ``--config``, with the origins as comments."""
        import yaml

        lines = [f'# {name}: {" ".join(text.split())}' for name, text in self.about.items()]
        for name, value in self.as_dict()['settings'].items():
            text = yaml.safe_dump([value], default_flow_style=True, width=float('inf')).strip()[1:-1]
            lines.append(f'{name}: {text}  # {self.origins[name]}')
        return '\n'.join(lines)


def resolve(given: Dict[str, Any], config_file: Optional[str] = None) -> ResolvedSettings:
    """Merge the settings of a run from their sources.

    Args:
        given: settings by name, as on the command line; ``recipe`` and ``resume`` may be among them.
        config_file: path of a YAML or JSON file with further settings.

    Returns:
        Every setting, and the source of its value.

    Raises:
        UsageError: an unknown name, a wrong value, two settings that exclude each other, or a recipe or file that
            contradicts the run to resume.
        DataError: the run to resume cannot be read.
    """
    flags = _Source(_FLAGS, _validated(given, flag, in_files=False))
    files, about = _file_sources(given, config_file)
    resolved = _merge([*files, flags], about)
    _name_network(resolved)
    path = run_path(*(resolved.settings[name] for name in ('resume', 'output', 'network')))
    if given.get('resume') not in (None, 'auto') and (path is None or not holds_run(path)):
        raise UsageError(no_run_to_resume(given['resume']))
    if given.get('resume') is None or path is None or not holds_run(path):
        _refuse_foreign([*files, flags], resolved)
        return resolved
    run = _Source(f'run {path}', _validated(read_config(path), lambda name: f'{path}/config.yaml: {name}'))
    resumed = _merge([run, flags], about)
    _refuse_foreign([run, flags], resumed)
    _refuse_contradictions(files, flags, run)
    resumed.settings['output'] = str(path)
    return resumed


def _name_network(resolved: ResolvedSettings) -> None:
    """Take the network from the card of the weights to start from, where no source names one."""
    pretrained = resolved.settings['pretrained']
    if pretrained and not resolved.settings['network'] and resolved.settings['resume'] in (None, 'auto'):
        from gluon_cbam.pretrained.resolve import network_of  # imports mxnet

        resolved.settings['network'] = network_of(pretrained=pretrained)
        resolved.origins['network'] = f'weights {pretrained}'


def _file_sources(given: Dict[str, Any], config_file: Optional[str]) -> Tuple[List[_Source], Dict[str, str]]:
    """The recipe and the configuration file, where they are given, and the description of the recipe."""
    sources, about = [], {}
    if config_file:
        sources.append(_Source(f'config {config_file}', _of_file(read_settings_file(config_file))))
    recipe = given.get('recipe') or (sources[0].values.get('recipe') if sources else None)
    if recipe:
        file = read_recipe(recipe)
        about = file.about
        sources.insert(0, _Source(f'recipe {recipe}', _of_file(file)))
    return sources, about


def _of_file(file: SettingsFile) -> Dict[str, Any]:
    return _validated(file.values, file.where)


def _validated(values: Dict[str, Any], where: Callable[[str], str], in_files: bool = True) -> Dict[str, Any]:
    """Settings of one source, converted to their types, without those that are null and have a default.

    Args:
        values: the values by the name of the setting.
        where: function from the name of a setting to its name in messages.
        in_files: whether the source is a file.
    """
    result = {}
    for name, value in values.items():
        entry = entry_of(name)
        if entry is None:
            known = [*SETTINGS, *(own for each in own_settings().values() for own in each)]
            raise UsageError(f'{where(name)} is not a setting: {closest(name, known)}')
        if value is None and (default_of(entry) is not None or not entry.metadata['in_files']):
            continue
        if in_files and not entry.metadata['in_files']:
            raise UsageError(f'{where(name)} is for the command line only')
        result[name] = validated(where(name), value, entry)
    for name, other in _REPLACED.items():
        if result.get(name) is not None and result.get(other) is not None:
            raise UsageError(
                f'{where(name)} and {other if in_files else flag(other)} exclude each other: give one of them'
            )
    return result


# setting -> the one that is given instead of it; and each of both -> the other
_REPLACED: Dict[str, str] = {
    entry.metadata['replaces']: name for name, entry in SETTINGS.items() if entry.metadata['replaces']
}
_EXCLUDES = {**_REPLACED, **{other: name for name, other in _REPLACED.items()}}


def _merge(sources: List[_Source], about: Dict[str, str]) -> ResolvedSettings:
    """Let each source override those before; a setting unsets the one that it excludes."""
    named = [source.values['task'] for source in sources if source.values.get('task')]
    settings = {name: default_of(entry) for name, entry in settings_of(named[-1] if named else None).items()}
    origins = dict.fromkeys(settings, 'default')
    for source in sources:
        for name, value in source.values.items():
            settings[name], origins[name] = value, source.name
        for name, value in source.values.items():
            if name in _EXCLUDES and value is not None:
                settings[_EXCLUDES[name]], origins[_EXCLUDES[name]] = None, f'{_REPLACED_BY}{name}'
    return ResolvedSettings(settings, origins, about)


def _refuse_contradictions(files: List[_Source], flags: _Source, run: _Source) -> None:
    """Refuse a recipe or file with another value than the run to resume, where no flag decides."""
    wanted, saved = _merge(files, {}), _merge([run], {}).settings
    decided = {*flags.values, *(_EXCLUDES.get(name) for name in flags.values), 'output'} - {'recipe'}
    for name, value in {**wanted.settings, 'recipe': flags.values.get('recipe', wanted.settings['recipe'])}.items():
        origin = wanted.origins[name] if name != 'recipe' else '--recipe'
        before = saved.get(name)
        if name not in decided and origin != 'default' and value is not None and value != before:
            raise UsageError(
                f'{origin} has {name} {value!r}, but {run.name} has {before!r}: leave it out, or give {flag(name)}'
            )


def _refuse_foreign(sources: List[_Source], resolved: ResolvedSettings) -> None:
    """Refuse the settings of other tasks."""
    for source in sources:
        for name in source.values:
            where = flag(name) if source.name == _FLAGS else f'{source.name}: {name}'
            refuse_foreign(name, where, resolved.settings['task'])
