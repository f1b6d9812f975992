"""The teacher of a run that distills the knowledge of another network: it is loaded, and compared with the student."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, List, Union

import mxnet as mx

from gluon_cbam.common.errors import DataError, UsageError
from gluon_cbam.common.files import sha256
from gluon_cbam.common.image_size import ImageSize, height_width, image_size_text
from gluon_cbam.data.loading.preprocessing import Preprocessing
from gluon_cbam.export.metadata import SYMBOL_SUFFIX
from gluon_cbam.export.runtime.exported_network import ExportedNetwork, load_exported
from gluon_cbam.export.symbol import symbol_files
from gluon_cbam.inference.network import LoadedNetwork, load_network
from gluon_cbam.pretrained.resolve import ResolvedModel, network_of
from gluon_cbam.tasks import Task
from gluon_cbam.tasks.protocols import Taught

_EXPORTED = ('.onnx', SYMBOL_SUFFIX)
_COMPARED = ('image_size', 'mean', 'std')  # of the preprocessing


@dataclass(frozen=True)
class Teacher:
    """A network that is not trained, whose outputs the student learns; see :class:`gluon_cbam.tasks.protocols.Teacher`.

    Attributes:
        network: the network on the devices of the run, or an exported file, which runs on the CPU.
        sha256: of the file of its parameters, or of the exported files.
    """

    network: Union[LoadedNetwork, ExportedNetwork]
    sha256: str

    def __call__(self, images: mx.nd.NDArray) -> mx.nd.NDArray:
        """The logits for normalized images, (N, C, S, S), on their device: (N, classes), without gradients."""
        with mx.autograd.pause():
            if isinstance(self.network, LoadedNetwork):
                return self.network.net(images)
            return mx.nd.array(self.network.run(images.asnumpy())[0], ctx=images.context)


def open_teacher(taught: Taught, model: ResolvedModel, task: Task, ctx: List[mx.Context]) -> Teacher:
    """Load the teacher of a run.

    Args:
        taught: what the settings name.
        model: the student.
        task: the task of the run.
        ctx: the devices of the run.

    Raises:
        UsageError: there is no such network, or it does not fit the student: outputs, image size or normalization.
        DataError: it is damaged.
        TransferError: published weights could not be downloaded.
    """
    size = model.preprocessing.image_size
    if taught.weights.endswith(_EXPORTED):
        teacher = _exported(taught.weights, size)
    else:
        network = _loaded(taught, model, task, ctx)
        teacher = Teacher(network, network.params_sha256 or '')
        task.check_network(network.net, f'the teacher {network.name}', network.classes)
        network.net.check_input((1, network.preprocessing.channels, *height_width(size)))
    _check(teacher.network, taught.weights, model, task)
    return teacher


def _loaded(taught: Taught, model: ResolvedModel, task: Task, ctx: List[mx.Context]) -> LoadedNetwork:
    """A teacher on the devices of the run; a file without a card has the student's task, classes and image size."""
    given: Dict[str, Any] = {}
    try:
        network_of(pretrained=taught.weights)
    except UsageError as error:
        if not taught.network:
            hint = '--teacher-network names that of a teacher'
            raise UsageError(f'--teacher {taught.weights}: {error}; {hint}') from None
        given = {'task': task.name, 'classes': model.classes, 'image_size': model.preprocessing.image_size}
    return load_network(taught.network, ctx, pretrained=taught.weights, **given)


def _exported(path: str, size: ImageSize) -> Teacher:
    """A teacher in an exported file, which takes images of the student's size where it is free."""
    network = load_exported(path)
    if network.dynamic:
        network = load_exported(path, image_size=size)
    if network.pixels:
        raise UsageError(f'--teacher {path} takes pixels before normalization: export it without --preprocessing')
    if network.embeddings or not network.classes:
        raise UsageError(f'--teacher {path} gives no logits of classes')
    files = symbol_files(path[: -len(SYMBOL_SUFFIX)])[:2] if path.endswith(SYMBOL_SUFFIX) else [Path(path)]
    return Teacher(network, hashlib.sha256(''.join(map(sha256, files)).encode()).hexdigest())


def _check(teacher: Union[LoadedNetwork, ExportedNetwork], given: str, model: ResolvedModel, task: Task) -> None:
    """Compare a teacher with its student."""
    if teacher.task.name != task.name:
        raise UsageError(f'--teacher {given} is of the task {teacher.task.name}, this run of {task.name}')
    if teacher.classes != model.classes:
        raise DataError(f'--teacher {given} has {teacher.classes} classes, this run {model.classes}: take another one')
    for name in _COMPARED:
        theirs, mine = _value(teacher.preprocessing, name), _value(model.preprocessing, name)
        if theirs != mine:
            raise UsageError(
                f'--teacher {given} expects images with {name} {theirs}, this run has {mine}: both see the same images'
            )


def _value(preprocessing: Preprocessing, name: str) -> object:
    value = getattr(preprocessing, name)
    return image_size_text(value) if name == 'image_size' else [round(float(each), 6) for each in value]
