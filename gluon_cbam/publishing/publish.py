"""Publish the weights of a run: write a registry for a static web server or a release page.

Its files are ``TAG.params`` with its card ``TAG.json``; ``TAG.yaml``, the card of the zoo; ``TAG.log``, the command,
environment and log of the training; and ``registry.yaml``, the cards of all weights in the directory.
"""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional, Tuple

import mxnet as mx
import numpy as np
import yaml

from gluon_cbam import weights, zoo
from gluon_cbam.common.documents import read_json
from gluon_cbam.common.errors import DataError, UsageError
from gluon_cbam.common.files import PathLike, disk_errors, refuse_existing, sha256, write_json, write_text
from gluon_cbam.common.folders import temporary_folder
from gluon_cbam.common.listing import listed
from gluon_cbam.data.class_names import ClassNames
from gluon_cbam.data.loading.preprocessing import Preprocessing
from gluon_cbam.inference.network import load_network
from gluon_cbam.models import build
from gluon_cbam.models.complexity import complexity
from gluon_cbam.pretrained import locate
from gluon_cbam.tasks import Task
from gluon_cbam.tasks.class_check import check_classes
from gluon_cbam.tasks.classes import ClassCheck
from gluon_cbam.tasks.evaluation import evaluate
from gluon_cbam.tasks.figures import Evaluation
from gluon_cbam.tasks.protocols import Dataset, Progress, no_progress
from gluon_cbam.training.config.command import command_of
from gluon_cbam.training.config.saved_run import VALIDATED, holds_run, read_config, read_metrics
from gluon_cbam.training.config.task_settings import task_of
from gluon_cbam.zoo.card import Metrics, UpstreamSource
from gluon_cbam.zoo.locking import lock_file
from gluon_cbam.zoo.registry import REGISTRY, cards_in

from .verify import versions

_ENDINGS = ('.params', '.json', '.log', '.yaml')
DTYPES = ('float32', 'float16')


@dataclass(frozen=True)
class About:
    """Information about the weights that is not in the run directory.

    Attributes:
        name: the name of the network, or a complete tag.
        tag_source: ``SOURCE`` in the tag ``NETWORK.SOURCE``; default the folder that the validation data is in.
        dtype: the data type of the published parameters; they are loaded as float32.
        default: whether these are the default weights of the network.
        licence: the licence of the file.
        source: author of the weights.
        citation: the citation of the paper.
        addresses: URLs of the file in addition to the folder of its registry.
    """

    name: str
    tag_source: Optional[str] = None
    dtype: str = 'float32'
    default: bool = False
    licence: Optional[str] = None
    source: Optional[str] = None
    citation: Optional[str] = None
    addresses: Tuple[str, ...] = ()


def publish(
    run: PathLike,
    output: PathLike,
    about: About,
    ctx: List[mx.Context],
    data_val: Optional[PathLike] = None,
    batch_size: int = 32,
    workers: int = 1,
    progress: Progress = no_progress,
    overwrite: bool = False,
    ignore_classes: bool = False,
    checked: Callable[[ClassCheck], Any] = lambda check: None,
) -> zoo.Published:
    """Publish the best checkpoint of a run, with the scores of the published file.

    Args:
        run: a run directory.
        output: the directory to write; made if it does not exist.
        about: information about the weights.
        ctx: the contexts of the network.
        data_val: a ``.rec`` file; default the run's own.
        batch_size: images per context.
        workers: threads that decode.
        progress: shows the progress.
        overwrite: whether the files and the tag may exist in ``output``. A store that has the earlier file of the tag
            keeps that one.
        ignore_classes: do not compare the names of the run's classes with those of the data.
        checked: called with that comparison, before the evaluation.

    Returns:
        The card.

    Raises:
        UsageError: there is no run or no checkpoint, the tag is taken or does not fit the network, or a file
            exists and must not be overwritten.
        DataError: a file is damaged, the parameters do not fit into ``about.dtype``, or the data have other classes.
    """
    if about.dtype not in DTYPES:
        raise UsageError(f'--dtype must be {listed(DTYPES, "or")}, got {about.dtype!r}')
    source = _source(run)
    records = source.task.open_validation(data_val or _validation_data(source), source.card.classes)
    named = ClassNames(str(source.params.with_suffix('.json')), source.card.class_names, source.card.classes)
    checked(check_classes(source.task, named, records.path, ignore_classes, records, source.card.classes))
    tag = _tag(about, source.card.network, Path(records.path))
    output = Path(output)
    _check_free(tag, output, overwrite)
    upstream = _upstream_source(tag, about)
    output.mkdir(parents=True, exist_ok=True)
    with disk_errors(output / tag), temporary_folder(output, '.publishing-') as folder:
        params = folder / f'{tag}.params'
        _write_parameters(source, about.dtype, params)
        scored = _score(source, params, records, ctx, batch_size, workers, progress)
        card = _card(source, about, upstream, params, scored, records)
        _place(card, source, params, output)
    return card


@dataclass(frozen=True)
class _Source:
    """A run that is published."""

    directory: Path
    params: Path
    card: zoo.Card
    settings: Dict[str, Any]
    task: Task


def _source(run: PathLike) -> _Source:
    if not holds_run(run):
        raise UsageError(f'no run in {str(run)!r}: give the folder that cbam train wrote')
    path, card = locate.of_file(run)
    if card is None or path is None:
        raise DataError(f'{path} has no card next to it: it is not as the run wrote it')
    settings = read_config(run)
    return _Source(Path(run), path, card, settings, task_of(settings))


def _validation_data(source: _Source) -> str:
    path = source.settings.get('data_val')
    if not path:
        raise UsageError(f'{source.directory} was trained without validation data: give --data-val FILE')
    return path


def _tag(about: About, network: str, data: Path) -> str:
    if about.name.startswith(f'{network}.') and about.tag_source is None:
        return about.name
    if about.name != network:
        raise UsageError(f'the run is of {network}: --name takes that, or a tag {network}.SOURCE, got {about.name!r}')
    name = about.tag_source or data.resolve().parent.name
    if not re.fullmatch(r'\w[\w\-]*', name):
        raise UsageError(f'the source in a tag is of letters, digits, _ and -, got {name!r}: give another --tag-source')
    return f'{network}.{name}'


def _check_free(tag: str, output: Path, overwrite: bool) -> None:
    """Check that a tag is new: a store that has its file would never load another."""
    known = {card.tag: 'the zoo' for card in zoo.cards()}
    if not overwrite:
        known.update({card.tag: str(output / REGISTRY) for card in _registered(output)})
    if tag in known:
        raise UsageError(f'the tag {tag} is taken in {known[tag]}: give another --tag-source, such as a version')
    refuse_existing([output / f'{tag}{ending}' for ending in _ENDINGS], overwrite)


def _registered(output: Path) -> List[zoo.Published]:
    path = output / REGISTRY
    return cards_in(path.read_text(encoding='utf-8'), str(path)) if path.is_file() else []


def _write_parameters(source: _Source, dtype: str, path: Path) -> None:
    if dtype == 'float32':
        shutil.copyfile(str(source.params), str(path))
        return
    values = {name: value.astype(dtype) for name, value in weights.read_arrays(source.params).items()}
    for name, value in values.items():
        if not np.isfinite(value.asnumpy()).all():
            raise DataError(f'{source.params}: {name} holds values that {dtype} cannot hold: publish float32')
    weights.write_arrays(values, path)


def _score(
    source: _Source,
    params: Path,
    records: Dataset,
    ctx: List[mx.Context],
    batch_size: int,
    workers: int,
    progress: Progress,
) -> Evaluation:
    """Evaluate the parameter file that is published."""
    card = source.card
    loaded = load_network(card.network, ctx, str(params), classes=card.classes, options=card.options)
    preprocessing = Preprocessing.from_dict(card.preprocessing)
    return evaluate(source.task, loaded.net, records, preprocessing, ctx, batch_size, workers, progress)


def _upstream_source(tag: str, about: About) -> UpstreamSource:
    try:
        return UpstreamSource(name=f'{tag}.params', addresses=(f'{tag}.params', *about.addresses))
    except DataError as error:
        raise UsageError(str(error)) from None


def _card(
    source: _Source, about: About, upstream: UpstreamSource, params: Path, scored: Evaluation, records: Dataset
) -> zoo.Published:
    trained, tag = source.card, params.stem
    preprocessing = Preprocessing.from_dict(trained.preprocessing)
    shape = (1, preprocessing.channels, *preprocessing.shape)
    cost = complexity(build(trained.network, classes=trained.classes, **trained.options), shape)
    return zoo.Published(
        tag=tag, default=about.default, task=trained.task, network=trained.network, classes=trained.classes,
        options=trained.options, class_names=trained.class_names, preprocessing=trained.preprocessing,
        source=about.source, licence=about.licence, citation=about.citation, sha256=sha256(params),
        bytes=params.stat().st_size, parameters=cost.parameters, macs=cost.macs, command=command_of(source.settings),
        recipe=f'{_progress_of(source)}; seed {source.settings.get("seed")}; {about.dtype}; log: {tag}.log',
        original=upstream, metrics=_metrics(source.task, scored, records),
    )  # fmt: skip


def _metrics(task: Task, scored: Evaluation, records: Dataset) -> Metrics:
    figures = Metrics.fields_of({name: scored.figures[name] for name in task.compared_in(scored.figures)})
    data = Path(records.path).resolve()
    name = f'{data.parent.name}/{data.name}'
    return Metrics(
        **figures, data=name, measured_by='verified', records=scored.records, data_sha256=task.digest(records)
    )  # fmt: skip


def _progress_of(source: _Source) -> str:
    """The epoch of the parameters and the number of epochs of the run."""
    best = source.task.best
    name = f'val_{best.name}'
    validated = [
        entry for entry in read_metrics(source.directory) if entry['kind'] in VALIDATED and entry[name] is not None
    ]
    epochs = source.settings.get('epochs')
    if source.params.stem != 'best' or not validated:
        return f'the newest checkpoint of {epochs} epochs'
    entry = min(validated, key=lambda entry: best.sort_key(entry[name]))
    within = f' (step {entry["step"]})' if entry['kind'] == 'validation' else ''
    return f'epoch {entry["epoch"]}{within}, the best of {epochs}'


def _place(card: zoo.Published, source: _Source, params: Path, output: Path) -> None:
    """Move the files to their names, and add them to the registry last."""
    provenance = {'command': card.command, 'recipe': card.recipe, 'versions': versions()}
    file_card = card.file_card(card.sha256 or '', card.bytes or 0, provenance)
    write_json(params.with_name(f'{card.tag}.json'), file_card.as_dict())
    write_text(params.with_name(f'{card.tag}.log'), _log_of(card, source))
    write_text(params.with_name(f'{card.tag}.yaml'), _yaml(card.as_dict()))
    for path in sorted(params.parent.iterdir(), key=lambda path: path != params):
        path.replace(output / path.name)
    with lock_file(output / REGISTRY, str(output / REGISTRY)):  # several processes may publish into one directory
        others = [entry for entry in _registered(output) if entry.tag != card.tag]
        known = sorted([*others, card], key=lambda entry: str(entry.tag))
        write_text(output / REGISTRY, _yaml([entry.as_dict() for entry in known]))


def _log_of(card: zoo.Published, source: _Source) -> str:
    """The command, the environment and the log of the run, without the folders of this machine."""
    path = source.directory
    log, environment = path / 'train.log', path / 'environment.json'
    versions = read_json(environment) if environment.is_file() else {}
    versions.pop('command', None)
    text = log.read_text(encoding='utf-8') if log.is_file() else ''
    return f'{card.command}\n{json.dumps(versions)}\n{text.replace(str(path.resolve()), path.name)}'


def _yaml(value: Any) -> str:
    return yaml.safe_dump(value, sort_keys=False, width=118)
