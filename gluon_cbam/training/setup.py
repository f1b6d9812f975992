"""The setup of a run: its settings with every default filled in, its files and devices checked."""

from __future__ import annotations

import importlib.util
import os
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple

import mxnet as mx

from gluon_cbam.common.errors import EnvironmentProblem, UsageError
from gluon_cbam.compat import devices
from gluon_cbam.compat.threads import usable_cpus
from gluon_cbam.data.loading.preprocessing import CHANNELS, Preprocessing
from gluon_cbam.models import variant
from gluon_cbam.models.registry import DEFAULT_LEARNING_RATE, default_learning_rate
from gluon_cbam.pretrained.backbone import starts_from_backbone
from gluon_cbam.pretrained.input_sizes import input_sizes
from gluon_cbam.pretrained.resolve import ResolvedModel, card_of, network_of, pretrained_of_flag, resolve
from gluon_cbam.tasks import Task
from gluon_cbam.tasks.classes import ClassCheck
from gluon_cbam.tasks.protocols import Dataset, TrainingBatches
from gluon_cbam.training.config.run_config import RunConfig
from gluon_cbam.training.config.saved_run import run_path
from gluon_cbam.training.config.task_settings import make_config, task_of
from gluon_cbam.training.config.train_config import TrainConfig
from gluon_cbam.training.distributed.joining import join
from gluon_cbam.training.distributed.process_group import ProcessGroup
from gluon_cbam.training.optim import amp
from gluon_cbam.training.optim.learning_rates import set_learning_rates
from gluon_cbam.training.optim.weight_decay import set_weight_decay
from gluon_cbam.training.parameters.freezing import freeze
from gluon_cbam.training.parameters.initialization import check_zero_gamma
from gluon_cbam.training.parameters.selection import named
from gluon_cbam.training.parameters.sync_batch_norm import convert_batch_norm
from gluon_cbam.training.teacher import Teacher, open_teacher

_IMAGES_OF_BASE = 256  # images per step that --lr-base is for, as in the published schedules


@dataclass(frozen=True)
class Setup:
    """Everything that a run needs, checked.

    Attributes:
        config: the configuration with every default filled in.
        model: the network with the weights to start from, its preprocessing and its options.
        net: the network, not initialized yet.
        ctx: the devices.
        class_names: the names of the classes, or None.
        data: training batches.
        val: validation data, or None.
        process_group: the processes that train together.
        notes: lines for the log: how many parameters are frozen, which have weight decay, and those of the task.
        task: the task that the network is trained for.
        classes: the comparison of the names of the classes of training data, validation data and weights.
        references: hashes of what settings name besides the data, see :meth:`gluon_cbam.tasks.base.Task.references`.
        teacher: the network whose outputs the loss learns, or None.
    """

    config: RunConfig
    model: ResolvedModel
    net: mx.gluon.HybridBlock
    ctx: List[mx.Context]
    class_names: Optional[List[str]]
    data: TrainingBatches
    val: Optional[Dataset]
    process_group: ProcessGroup
    notes: List[str]
    task: Task
    classes: ClassCheck = field(default_factory=ClassCheck)
    references: Dict[str, str] = field(default_factory=dict)
    teacher: Optional[Teacher] = None

    @property
    def preprocessing(self) -> Preprocessing:
        """The preprocessing of validation images."""
        return self.model.preprocessing

    @property
    def steps_per_epoch(self) -> int:
        """Updates per epoch; batches that do not fill a step are left out."""
        return len(self.data) // self.config.accumulate

    @property
    def images_per_step(self) -> int:
        """Images per update, over all devices."""
        return self.data.batch_size * self.config.accumulate

    def another_net(self) -> mx.gluon.HybridBlock:
        """Another network of the same model, not initialized."""
        return self.model.build()


def prepare(config: TrainConfig) -> Setup:
    """Check a configuration against files and devices, and fill in what it leaves open.

    Args:
        config: the settings; they are not changed.

    Returns:
        The setup; the processes of the run are connected.

    Raises:
        CbamError: see :func:`gluon_cbam.training.loop.trainer.train`.
    """
    config = make_config(**{**config.as_dict(), 'network': config.network or _network_of_weights(config)}).check()
    task = task_of(config.as_dict())
    task.check_settings(config.as_dict())
    classes, class_names = task.labels(config.data_train, config.classes)
    model = resolve(
        config.network, None, pretrained_of_flag(config.pretrained), classes, config.option, config.image_size,
        config.crop_ratio, config.resize, from_plain=True,
    )  # fmt: skip
    net = _build(model, task)
    ctx = devices.contexts(config.gpus, config.cpus)
    if config.sync_bn:
        convert_batch_norm(net, ctx)
    notes = [*_choose_parameters(net, config), *task.notes(config.as_dict())]
    _check_environment(config, ctx)
    workers = config.workers or usable_cpus()
    checked = _check_names(config, task, model, classes)
    taught = task.taught(config.as_dict())
    teacher = open_teacher(taught, model, task, ctx) if taught else None
    if teacher:
        names = task.class_names(config.data_train)
        checked += task.compare_classes(teacher.network.named_classes, names, config.ignore_classes)
    train, val = _open_data(config, task, classes, workers)
    checked += ClassCheck(None, _hints(task, classes, train, val))
    process_group = join(config.kv_store)  # last, since the other processes wait for this one from here on
    batch_size, lr = _batch_and_rate(config, len(ctx), process_group.size)
    run = RunConfig.resolved(
        config, option=model.options, classes=classes, image_size=model.preprocessing.image_size,
        crop_ratio=model.preprocessing.crop_ratio, resize=model.preprocessing.resize,
        augment=config.augment or model.variant.augmentation, workers=workers, batch_size=batch_size, lr=lr,
    )  # fmt: skip
    images = batch_size * len(ctx) * process_group.size
    data = task.training_batches(train, run.as_dict(), model.preprocessing, images, process_group)
    if run.accumulate > len(data):
        raise UsageError(f'--accumulate {run.accumulate} is more than the {len(data)} batches of an epoch')
    references = {**task.references(run.as_dict(), train), **({'teacher': teacher.sha256} if teacher else {})}
    return Setup(run, model, net, ctx, class_names, data, val, process_group, notes, task, checked, references, teacher)


def open_values(config: TrainConfig) -> Dict[str, Tuple[Any, str]]:
    """The values that a run takes where its settings leave them open, each with its source.

    Only those that this machine knows without work: nothing is downloaded or decoded, and no process is joined.

    Args:
        config: the settings; network, data and devices may be missing.

    Returns:
        Name of the setting -> value and source.

    Raises:
        CbamError: see :func:`gluon_cbam.training.loop.trainer.train`.
    """
    config = make_config(**config.as_dict()).check_values()
    values: Dict[str, Tuple[Any, str]] = {'workers': (usable_cpus(), 'this machine')}
    names = Path(config.data_train or '').parent / 'classes.txt'
    if config.data_train and Path(config.data_train).is_file():
        classes = task_of(config.as_dict()).labels(config.data_train, config.classes)[0]
        values['classes'] = classes, str(names) if names.is_file() else 'default'
    network = config.network or _network_of_weights(config)
    if network:
        row, path = variant(network), run_path(config.resume, config.output, network)
        pretrained = pretrained_of_flag(config.pretrained)
        own = pretrained and not starts_from_backbone(network, pretrained)
        card = card_of(pretrained=pretrained, name=network if pretrained is True else None) if own else None
        preprocessing = Preprocessing.from_dict(card.preprocessing) if card else Preprocessing.of(row)
        source = f'weights {config.pretrained}' if card and config.pretrained else network
        values.update(network=(network, source), output=(str(path), 'default'), augment=(row.augmentation, network))
        values.update({name: (getattr(preprocessing, name), source) for name in ('image_size', 'crop_ratio', 'resize')})
        size, _ = input_sizes(network, config.option, card.options if card else None, config.image_size)
        if size is not None:
            values['image_size'] = size, '--option image_size'
    processes = int(os.environ.get('DMLC_NUM_WORKER', '1'))
    with suppress(EnvironmentProblem):  # the devices of another machine
        config.network = network or config.network
        batch_size, lr = _batch_and_rate(config, len(devices.contexts(config.gpus, config.cpus)), processes)
        values['batch_size'] = batch_size, 'total_batch_size'
        values['lr'] = lr, 'lr_base' if config.lr_base is not None else network or 'default'
    return values


def _network_of_weights(config: TrainConfig) -> Optional[str]:
    """The network of the weights to start from, by their card; None where none are given."""
    return network_of(pretrained=config.pretrained) if config.pretrained else None


def _build(model: ResolvedModel, task: Task) -> mx.gluon.HybridBlock:
    """The network, after checking that it fits the task and the size of the images."""
    net = model.build()
    if net._in_channels not in (None, *CHANNELS):
        raise UsageError(
            f'{model.name} of {net._in_channels} channels takes no images: give --option in_channels=1 or 3'
        )
    task.check_network(net, model.name, model.classes)
    net.check_input((1, model.preprocessing.channels, *model.preprocessing.shape))
    return net


def _check_environment(config: TrainConfig, ctx: List[mx.Context]) -> None:
    """Check that devices and optional packages can do what the settings ask for."""
    amp.check(config.dtype, ctx)
    if config.kv_store == 'nccl' and not mx.runtime.Features().is_enabled('NCCL'):
        raise EnvironmentProblem('--kv-store nccl needs mxnet-cu117 and GPUs: use device')
    if config.tensorboard and importlib.util.find_spec('tensorboardX') is None:
        raise EnvironmentProblem("--tensorboard needs tensorboardX: pip install 'gluon_cbam[tensorboard]'")


def _check_names(config: TrainConfig, task: Task, model: ResolvedModel, classes: int) -> ClassCheck:
    """Compare the names of the training data's classes with those of the validation data and of the weights."""
    train, checked = task.class_names(config.data_train), ClassCheck()
    if model.card and model.card.classes == classes:  # otherwise the last layer is a new one
        checked += task.compare_classes(model.named_classes, train, config.ignore_classes)
    if config.data_val:
        checked += task.compare_classes(train, task.class_names(config.data_val), config.ignore_classes)
    return checked


def _hints(task: Task, classes: int, train: Dataset, val: Optional[Dataset]) -> Tuple[str, ...]:
    return tuple(line for data in (train, val) if data is not None for line in task.label_hints(data, classes))


def _open_data(config: TrainConfig, task: Task, classes: int, workers: int) -> Tuple[Dataset, Optional[Dataset]]:
    """Training and validation data, checked; every validation image was decoded once."""
    train = task.open_training(config.data_train, classes)
    val = task.open_validation(config.data_val, classes) if config.data_val else None
    if val is not None:
        task.check_images(val, workers)
    return train, val


def _batch_and_rate(config: TrainConfig, contexts: int, processes: int) -> Tuple[int, float]:
    """Images per device and step, and the learning rate, from the totals where those are set."""
    devices, batch, rate = contexts * processes * config.accumulate, config.batch_size, config.lr
    if config.total_batch_size is not None:
        batch, rest = divmod(config.total_batch_size, devices)
        if rest:
            raise UsageError(
                f'--total-batch-size {config.total_batch_size} cannot be divided by {devices}, '
                f'the devices times --accumulate: take {batch * devices or devices} or {(batch + 1) * devices}'
            )
    if rate is None:
        rate = default_learning_rate(config.network) if config.network else DEFAULT_LEARNING_RATE
    if config.lr_base is not None:
        rate = config.lr_base * batch * devices / _IMAGES_OF_BASE
    return batch, rate


def _choose_parameters(net: mx.gluon.HybridBlock, config: TrainConfig) -> List[str]:
    """Set which parameters are trained and which decay; returns lines for the log about it."""
    if config.zero_gamma:
        check_zero_gamma(net, config.network)
    frozen = freeze(net, config.freeze)
    decay = set_weight_decay(net, config.no_decay, config.wd_mult)
    decayed = sum(multiplier > 0 for multiplier in decay.values())
    notes = [f'weight decay {config.wd:g} on {decayed} of {len(decay)} trained parameters']
    rates = set_learning_rates(net, config.lr_mult)
    for value in sorted(set(rates.values())):
        count = sum(each == value for each in rates.values())
        notes.append(f'learning rate times {value:g} of {count} of {len(decay)} trained parameters')
    if frozen:
        notes.append(f'frozen: {len(frozen)} of {len(named(net))} parameters')
    if config.accumulate > 1:
        notes.append(f'adds the gradients of {config.accumulate} batches before an update')
    if config.ema:
        notes.append(f'validates and keeps as best the moving average of the parameters, decay {config.ema:g}')
    return notes
