"""``cbam predict``: predictions for images."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Callable, Iterator, List, Optional, Sequence, Tuple

import click

from gluon_cbam.cli.errors import debug_option
from gluon_cbam.cli.options import settings_options, weights_options
from gluon_cbam.cli.output import json_option
from gluon_cbam.cli.progress import progress_bar
from gluon_cbam.common.errors import UsageError
from gluon_cbam.common.files import refuse_existing
from gluon_cbam.common.listing import listed
from gluon_cbam.common.printable import printable

from .image_inputs import INPUTS, ImageInputs, input_options
from .network_options import (
    NETWORK,
    PLACEMENT,
    exported_options,
    load,
    load_exported,
    require_exported,
    show_verification,
    task_option,
    temperature_option,
)
from .predict_boxes import BoxOptions, BoxOutputs, box_options

if TYPE_CHECKING:
    from gluon_cbam.export.runtime import ExportedNetwork
    from gluon_cbam.inference.formats import Format
    from gluon_cbam.inference.session import Session
    from gluon_cbam.tasks.prediction import Prediction

_OUTPUT = [
    click.option(
        '--top-k', type=click.IntRange(1), help='number of classes or boxes for each image  [5 classes, 100 boxes]'
    ),
    click.option('--labels', metavar='FILE', help="names of the classes, one in a line  [the weights']"),
    temperature_option,
    click.option('--csv', metavar='FILE', help='write CSV, a row for each image; - for standard output'),
    click.option('--jsonl', metavar='FILE', help='write a JSON object in a line for each image; - for standard output'),
    click.option('--output', metavar='FILE', help='.csv, .json, .jsonl or .txt, instead of standard output'),
]


_Command = Callable[..., Any]


def _add(options: Sequence[Callable[..., Any]]) -> Callable[[_Command], _Command]:
    """A decorator that adds several options."""

    def add(function: _Command) -> _Command:
        for option in reversed(options):
            function = option(function)
        return function

    return add


@click.command()
@click.argument('images', nargs=-1, metavar='[IMAGE]...')
@input_options
@settings_options('network')
@weights_options
@task_option
@exported_options
@_add(_OUTPUT)
@box_options
@settings_options(*NETWORK[1:], 'ignore_classes')
@json_option
@debug_option
def predict(
    images: Tuple[str, ...],
    labels: Optional[str],
    top_k: Optional[int],
    temperature: Optional[float],
    batch_size: int,
    workers: Optional[int],
    ignore_classes: bool,
    **others: Any,
) -> None:
    """Predict what is on images.

    IMAGE is a file, a folder (with its subfolders), a quoted pattern such as 'photos/**/*.jpg', a .rec file, a video,
    or - for one image on standard input. Images that cannot be read are reported at the end, with exit code 4.
    """
    from gluon_cbam.compat.threads import usable_cpus

    boxes = BoxOptions.taken_from(others)
    outputs = _outputs(*(others.pop(name) for name in ('as_json', 'csv', 'jsonl', 'output')))
    inputs = ImageInputs(images, *(others.pop(name) for name in INPUTS))
    if others['pretrained'] and not (images or inputs.files_from or inputs.camera):
        tag = others['pretrained']
        raise UsageError(f'no images: --pretrained took {tag!r} as the tag of weights; write images before it')
    sources = inputs.sources()
    (session, network), live = _session(**others), inputs.camera is not None
    task = session.task.with_temperature(temperature)
    predictor = boxes.predictor(task.predictor(session, top_k or task.top, labels=labels))
    files = boxes.outputs(session, predictor)
    if labels is not None:
        _check_labels(session, labels, ignore_classes)
    predictions = boxes.predictions(
        session, sources, predictor, files.see if files.pictures else None, batch_size=batch_size,
        workers=workers or usable_cpus(), live=live,
    )  # fmt: skip
    _write(predictions, outputs, predictor.columns, live, inputs, network, files)
    show_verification(network)


def _check_labels(session: Session, labels: str, ignore_classes: bool) -> None:
    """Check that a file of other names does not give classes the names of other classes of the network."""
    from pathlib import Path

    from gluon_cbam.data.class_names import ClassNames
    from gluon_cbam.data.sources.labels import read_names

    known, given = ClassNames(session.name, session.class_names, session.classes), read_names(Path(labels))
    session.task.compare_classes(known, ClassNames(labels, given), ignore_classes, moved=True)


def _session(
    exported: Optional[str], params: Optional[str], pretrained: Optional[str], **settings: Any
) -> Tuple[Session, Optional[ExportedNetwork]]:
    """A session of the network or of the exported file that the options name, and the exported file."""
    from gluon_cbam.export.runtime.session import exported_session
    from gluon_cbam.inference.session import on_devices

    placement = {name: settings.pop(name) for name in PLACEMENT}
    if exported is not None:
        network = load_exported(exported, placement, params=params, pretrained=pretrained, **settings)
        return exported_session(network), network
    require_exported(placement)
    if params is None and pretrained is None:
        raise UsageError('predict needs weights: give --params FILE, --pretrained or --exported FILE')
    return on_devices(*load(params=params, pretrained=pretrained, **settings)), None


def _outputs(
    as_json: bool, csv: Optional[str], jsonl: Optional[str], output: Optional[str]
) -> List[Tuple[str, Format]]:
    """(file or ``-``, format) of each output."""
    from gluon_cbam.inference.formats import STANDARD_OUTPUT, Csv, Json, JsonLines, Text, format_of

    requested = [
        ('--json', STANDARD_OUTPUT if as_json else None, Json),
        ('--csv', csv, Csv),
        ('--jsonl', jsonl, JsonLines),
        ('--output', output, format_of(output) if output else Text),
    ]
    to_screen = [option for option, target, _ in requested if target == STANDARD_OUTPUT]
    if len(to_screen) > 1:
        raise UsageError(f'{listed(to_screen)} exclude each other on standard output: give one of them a file')
    refuse_existing((target for _, target, _ in requested if target and target != STANDARD_OUTPUT), overwrite=True)
    return [(target, form) for _, target, form in requested if target] or [(STANDARD_OUTPUT, Text)]


def _write(
    predictions: Iterator[Prediction],
    outputs: List[Tuple[str, Format]],
    columns: Sequence[str],
    live: bool,
    inputs: ImageInputs,
    network: Optional[ExportedNetwork],
    boxes: BoxOutputs,
) -> None:
    """Write predictions as they are computed. With a camera, an interrupt is the normal end, and files are complete."""
    from gluon_cbam.inference.formats import STANDARD_OUTPUT, Json, Tally, written

    tally, interrupted = Tally(), False
    files = [target for target, _ in outputs if target != STANDARD_OUTPUT]
    silent = len(files) == len(outputs)
    with ExitStack() as stack:
        writers = [stack.enter_context(written(target, form, columns)) for target, form in outputs]
        for writer in writers:
            if isinstance(writer, Json):
                writer.left_out = inputs.left_out
                writer.at_end = network.verification_as_dict if network is not None else dict
        try:
            for prediction in progress_bar(predictions, None) if silent else predictions:
                tally.add(prediction)
                for writer in writers:
                    writer.add(prediction)
                boxes.add(prediction)
        except KeyboardInterrupt:
            if not live:
                raise
            interrupted = True
        if not tally.images and not interrupted:
            raise UsageError(f'no images in {inputs.where}')
        boxes.end()
    if silent:
        click.echo('\n'.join(f'{printable(file)}: {tally.images} images' for file in files))
    if interrupted:
        raise click.Abort
    tally.check()
