"""``cbam validate``: evaluation of a network or an exported file."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Dict, List, Optional, Tuple, Union

import click

from gluon_cbam.cli.options import settings_options, weights_options
from gluon_cbam.cli.output import common_options
from gluon_cbam.cli.progress import progress_bar
from gluon_cbam.tasks import get_task

from .network_options import (
    NETWORK,
    PLACEMENT,
    check_data,
    exported_options,
    load,
    load_exported,
    require_exported,
    show_verification,
    show_warnings,
    task_option,
)
from .validate_boxes import score_file
from .validate_outputs import Outputs, output_options
from .validate_scoring import Scoring, scoring_options

if TYPE_CHECKING:
    import mxnet as mx

    from gluon_cbam.export.runtime import ExportedNetwork
    from gluon_cbam.inference.network import LoadedNetwork
    from gluon_cbam.tasks.classes import ClassCheck
    from gluon_cbam.tasks.figures import Evaluation
    from gluon_cbam.tasks.protocols import Dataset


@click.command()
@settings_options('network')
@weights_options
@click.option(
    '--data-val',
    '--rec-val',
    'data_val',
    required=True,
    metavar='PATH',
    help='a .rec file with its .idx; with --results also other boxes',
)
@click.option('--results', metavar='FILE', help="score this file of detections in COCO's format, not a network")
@scoring_options
@output_options
@task_option
@exported_options
@settings_options(*NETWORK[1:], 'label_index', 'ignore_classes')
@common_options
def validate(
    data_val: str,
    results: Optional[str],
    exported: Optional[str],
    batch_size: int,
    workers: Optional[int],
    ignore_classes: bool,
    **settings: Any,
) -> Tuple[Dict[str, Any], str]:
    """Evaluate a network on a .rec file; every record counts exactly once.

    With --results, a file of detections is scored instead: --data-val is then also COCO's JSON, or a folder of boxes.
    """
    from gluon_cbam.compat.threads import usable_cpus

    outputs, scoring = Outputs.taken_from(settings), Scoring.taken_from(settings)
    if results is not None:
        scoring.check(get_task('detection'))
        return score_file(results, data_val, outputs, {'exported': exported, **settings})
    workers = workers or usable_cpus()
    placement = {name: settings.pop(name) for name in PLACEMENT}
    if exported is not None:
        network = load_exported(exported, placement, **settings)
        return _exported(data_val, batch_size, workers, ignore_classes, outputs, scoring, network)
    require_exported(placement)
    return _on_devices(data_val, batch_size, workers, ignore_classes, outputs, scoring, *load(**settings))


def _on_devices(
    data_val: str,
    batch_size: int,
    workers: int,
    ignore_classes: bool,
    outputs: Outputs,
    scoring: Scoring,
    loaded: LoadedNetwork,
    ctx: List[mx.Context],
) -> Tuple[Dict[str, Any], str]:
    """Evaluate a network; the value for --json, and the text."""
    from gluon_cbam.tasks.evaluation import evaluate

    if loaded.params_sha256 is None:
        click.echo('cbam: no --params and no --pretrained: the weights are random', err=True)
    outputs.check(loaded.task)
    loaded = replace(loaded, task=scoring.configured(loaded, outputs.has_predictions))
    loaded.task.check_network(loaded.net, loaded.name, loaded.classes)
    records = loaded.task.open_validation(data_val, loaded.classes)
    checked = check_data(loaded, data_val, ignore_classes, records)
    scored = evaluate(
        loaded.task, loaded.net, records, loaded.preprocessing, ctx, batch_size, workers, progress_bar
    )  # fmt: skip
    show_warnings(checked)
    return _result(loaded, records, scored, checked, outputs, scoring)


def _exported(
    data_val: str,
    batch_size: int,
    workers: int,
    ignore_classes: bool,
    outputs: Outputs,
    scoring: Scoring,
    loaded: ExportedNetwork,
) -> Tuple[Dict[str, Any], str]:
    """Evaluate an exported file; the value for --json, and the text."""
    from gluon_cbam.export.runtime.evaluation import evaluate_exported

    outputs.check(loaded.task)
    loaded = replace(loaded, task=scoring.configured(loaded, outputs.has_predictions))
    records = loaded.task.open_validation(data_val, loaded.require_classes())
    checked = check_data(loaded, data_val, ignore_classes, records)
    scored = evaluate_exported(loaded, records, batch_size, workers, progress_bar)
    show_verification(loaded)
    show_warnings(checked)
    value, text = _result(loaded, records, scored, checked, outputs, scoring)
    return {**value, **loaded.engine_as_dict()}, text


def _result(
    loaded: Union[LoadedNetwork, ExportedNetwork],
    records: Dataset,
    scored: Evaluation,
    checked: ClassCheck,
    outputs: Outputs,
    scoring: Scoring,
) -> Tuple[Dict[str, Any], str]:
    """Write what was asked for; the value for --json, and the text."""
    task = loaded.task
    about = {'network': loaded.name, 'data': records.path}
    if scoring.tta:
        about['views'] = f'{", ".join(scoring.tta)}: the mean of the probabilities'
    if scoring.temperature is not None:
        about['temperature'] = f'{scoring.temperature:g}'
    further = scoring.as_dict(task.scored(records, scored, loaded) if task.classifies else None)
    written = outputs.of_evaluation(task, records, scored, loaded, about)
    value = {'network': loaded.name, 'params_sha256': loaded.params_sha256, **scored.as_dict(), **checked.as_dict()}
    counts = f'{scored.records} of {len(records)} records, each once'
    line = f'{counts}: {task.text(scored.figures)} ({scored.seconds:.1f} s)'
    paths = [f'{name.replace("_", " ")}: {path}' for name, path in written.items()]
    return {**value, **further, **written}, '\n'.join(
        [line, *scored.lines(scoring.by_class), *scoring.lines(further), *paths]
    )
