"""Loading the network, or the exported file, that the options of a command name."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Dict, Iterable, List, Mapping, Optional, Sequence, Tuple, Union

import click

from gluon_cbam.cli.options import NumberRange, add_options
from gluon_cbam.cli.progress import byte_progress
from gluon_cbam.common.errors import UsageError
from gluon_cbam.common.image_size import ImageSize
from gluon_cbam.common.listing import listed
from gluon_cbam.common.printable import printable
from gluon_cbam.common.settings import flag

if TYPE_CHECKING:
    import mxnet as mx

    from gluon_cbam.export.runtime import ExportedNetwork
    from gluon_cbam.inference.network import LoadedNetwork
    from gluon_cbam.tasks import Task
    from gluon_cbam.tasks.classes import ClassCheck
    from gluon_cbam.tasks.protocols import Dataset

NETWORK = (
    'network',
    'classes',
    'image_size',
    'crop_ratio',
    'resize',
    'option',
    'batch_size',
    'gpus',
    'cpus',
    'workers',
)
"""The settings of commands that load a network."""


def load(
    network: Optional[str],
    params: Optional[str],
    pretrained: Optional[str],
    option: Dict[str, Any],
    gpus: Optional[str],
    cpus: Optional[int],
    **changes: Any,
) -> Tuple[LoadedNetwork, List[mx.Context]]:
    """Load the network that the options of a command name.

    Args:
        network: ``--network``; None for the one on the card of the weights.
        params: ``--params``.
        pretrained: ``--pretrained``; the empty text for the flag without a value.
        option: ``--option`` by key.
        gpus: ``--gpus``.
        cpus: ``--cpus``.
        **changes: further arguments of :func:`gluon_cbam.inference.network.load_network`.

    Returns:
        The network and its contexts.

    Raises:
        UsageError: neither ``--network`` nor the weights name a network, or an option does not fit the network.
        EnvironmentProblem: a device does not exist.
        DataError: the weights are damaged or do not fit.
        TransferError: published weights could not be downloaded.
    """
    from gluon_cbam.compat import devices
    from gluon_cbam.inference.network import load_network
    from gluon_cbam.pretrained.resolve import pretrained_of_flag

    ctx, weights = devices.contexts(gpus, cpus), pretrained_of_flag(pretrained)
    with byte_progress(network or pretrained or '') as progress:
        loaded = load_network(network, ctx, params, weights, options=option, progress=progress, **changes)
    return loaded, ctx


def check_data(
    network: Union[LoadedNetwork, ExportedNetwork], path: str, ignore: bool, data: Optional[Dataset] = None
) -> ClassCheck:
    """Compare the names of a network's classes with those of data.

    Args:
        network: the network.
        path: path of the data.
        ignore: ``--ignore-classes``.
        data: the opened data, for hints about its labels; default none.

    Returns:
        The check, for :func:`show_warnings` after the work, since an error is one line. Nothing is compared for random
        weights.

    Raises:
        DataError: the names differ.
    """
    from gluon_cbam.tasks.class_check import check_classes

    ignore = ignore or network.params_sha256 is None
    return check_classes(network.task, network.named_classes, path, ignore, data, network.classes)


def show_warnings(checked: ClassCheck) -> None:
    """Print the warnings about classes and labels."""
    for warning in checked.warnings:
        click.echo(f'cbam: {warning}', err=True)


def refuse_other_tasks(given: Sequence[str], tasks: Mapping[str, Iterable[str]], task: Task) -> None:
    """Refuse options that a task does not have.

    Args:
        given: the flags that are given.
        tasks: flag -> the names of its tasks.
        task: the task.

    Raises:
        UsageError: one of the options is of other tasks.
    """
    for name in given:
        if task.name not in tasks[name]:
            raise UsageError(f'{name} is for {listed(tasks[name])}, and the task is {task.name}: leave it out')


temperature_option = click.option(
    '--temperature',
    type=NumberRange(0.01, 1000),
    metavar='T',
    help='divides the logits of classes: temperature scaling',
)
task_option = click.option('--task', metavar='NAME', help="task of the weights  [their card's, or classification]")
exported_options = add_options(
    [
        click.option('--exported', metavar='FILE', help='a network that cbam export wrote: .onnx or -symbol.json'),
        click.option(
            '--engine', default='auto', show_default=True, help='engine of --exported: onnxruntime, openvino or mxnet'
        ),
        click.option(
            '--provider',
            metavar='NAME',
            help='of onnxruntime: cpu, cuda, tensorrt, rocm, openvino, coreml or directml  [cpu]',
        ),
        click.option('--device', metavar='N', help='GPU of --provider, from 0; of OpenVINO CPU, GPU.0 or NPU'),
        click.option('--precision', metavar='NAME', help='of the arithmetic: float32, tf32 or float16  [float32]'),
        click.option('--verify', is_flag=True, help='compare --exported with the CPU before the first answer'),
    ]
)
PLACEMENT = ('engine', 'provider', 'device', 'precision', 'verify')
"""The options that say where ``--exported`` runs."""
# options that an exported file determines
_DETERMINED = ('params', 'pretrained', 'classes', 'crop_ratio', 'resize', 'option', 'gpus', 'cpus')


def require_exported(placement: Dict[str, Any]) -> None:
    """Refuse options of exported files where there is none.

    Args:
        placement: the options :data:`PLACEMENT` by name.

    Raises:
        UsageError: one of them is given.
    """
    given = next((name for name, value in placement.items() if name != 'engine' and value), None)
    if given:
        raise UsageError(f'{flag(given)} is for --exported FILE: leave it out; --gpus chooses the devices of MXNet')


def load_exported(
    exported: str,
    placement: Dict[str, Any],
    network: Optional[str],
    label_index: Optional[int] = None,
    image_size: Optional[ImageSize] = None,
    **settings: Any,
) -> ExportedNetwork:
    """Load the exported file that the options of a command name.

    Args:
        exported: ``--exported``.
        placement: the options :data:`PLACEMENT` by name.
        network: ``--network``; the file must be of that model.
        label_index: ``--label-index``.
        image_size: ``--image-size``, for a file that leaves it free.
        **settings: the other options of the network, which must not be given.

    Returns:
        The exported network, loaded by its engine.

    Raises:
        UsageError: an option that the file determines is given, or the file is of another model or size.
        DependencyError: the engine or the provider is not installed.
        EnvironmentProblem: the device does not exist.
        DataError: the file is damaged, or with ``--verify`` its outputs differ from those on the CPU.
    """
    from gluon_cbam.export.runtime import load_exported as run

    given = next((name for name in _DETERMINED if settings.get(name) not in (None, {}, ())), None)
    if given:
        raise UsageError(f'--exported knows its network and weights: leave {flag(given)} out')
    loaded = run(exported, image_size=image_size, **placement)
    if network not in (None, loaded.name):
        raise UsageError(f'{exported} is of {loaded.name}, not of {network}')
    return replace(loaded, task=loaded.task.with_label_index(label_index))


def show_verification(network: Optional[ExportedNetwork]) -> None:
    """Print the comparison with the CPU that ``--verify`` asked for."""
    if network is not None and network.verification is not None:
        click.echo(f'cbam: {printable(network.verification.text())}', err=True)
