"""The settings of ``cbam train`` that all tasks have: the command line, files and checks are made from these fields.

:mod:`.task_settings` adds those that belong to a task alone.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, fields
from typing import Any, Dict, List, Optional

from gluon_cbam.common.errors import UsageError
from gluon_cbam.common.image_size import ImageSize
from gluon_cbam.common.settings import default_of, flag, setting, validated
from gluon_cbam.data.loading.preprocessing import RESIZES
from gluon_cbam.tasks import DEFAULT, TASKS

from . import recipes

KV_STORES = ('local', 'device', 'nccl', 'dist_sync', 'dist_device_sync', 'dist_async', 'horovod')
# setting without effect where servers update the weights (dist_async) -> the value that it must have
_ON_SERVERS = {'optimizer': 'sgd', 'dtype': 'float32', 'clip_norm': 0.0}
_OF_A_SESSION = ('output', 'resume')  # may differ between the sessions of a run


@dataclass
class TrainConfig:
    """Settings of a training run; the help of each is in its field's metadata.

    A task with settings of its own has a subclass: see :func:`.task_settings.make_config`.

    ``recipe`` only records the recipe; :func:`gluon_cbam.training.resolve` reads it.

    Example:
        >>> TrainConfig(network='cbamnet_tiny', data_train='train.rec', epochs=3).check()
    """

    # a section of the help begins where a setting names it
    recipe: Optional[str] = setting(
        None, f'settings to start from: {", ".join(recipes.names())}, or a file', section='Where settings come from'
    )
    data_train: str = setting(
        None,
        'training images, a .rec file with its .idx',
        aliases=('--rec-train',),
        section='Data',
        path=True,
    )
    data_val: Optional[str] = setting(
        None, 'validation images, a .rec file with its .idx', aliases=('--rec-val',), path=True
    )
    label_index: Optional[int] = setting(
        None,
        'the label to use of records with several, from 0  [records with several are refused]',
        kind=int,
        minimum=0,
        immutable=True,
    )
    workers: Optional[int] = setting(
        None,
        'threads that decode images  [the CPUs]',
        '-j',
        '--data-nthreads',
        kind=int,
        minimum=1,
        aliases=('--workers',),
    )
    max_bad_records: int = setting(
        0, 'damaged training images to skip, counted and logged; one more ends the run', kind=int, minimum=0
    )
    network: str = setting(
        None, 'name of the network: see cbam models list', aliases=('--model',), immutable=True, section='Network'
    )
    task: str = setting(DEFAULT, f'what the network is trained for: {", ".join(TASKS)}', immutable=True)
    classes: Optional[int] = setting(
        None,
        'number of classes  [of the training data (classes.txt), of the weights, or 1000]',
        kind=int,
        minimum=1,
        aliases=('--num-classes',),
        immutable=True,
    )
    ignore_classes: bool = setting(False, 'do not compare the class names of data and weights', kind=bool)
    option: Dict[str, Any] = setting((), 'an option of the network; repeat for more', kind=dict, immutable=True)
    pretrained: Optional[str] = setting(
        None,
        'weights to start from: a tag, a parameter file or a run folder; alone, the published ones of the network',
        optional_value=True,
        immutable=True,
    )
    zero_gamma: bool = setting(
        False, "start the last BatchNorm of every residual block with gamma 0, as the block's identity", kind=bool
    )
    freeze: List[str] = setting(
        (),
        'parameters or blocks to freeze, such as layer1 or *.bias; repeat for more',
        kind=tuple,
        immutable=True,
    )
    gpus: Optional[str] = setting(None, 'GPUs: 0-7, 0,2-3 or all  [the CPU]', section='Devices')
    cpus: Optional[int] = setting(None, 'CPU contexts, to try data parallelism without GPUs', kind=int)
    kv_store: str = setting(
        'device',
        'MXNet kvstore that adds gradients over devices and machines',
        choices=KV_STORES,
        aliases=('--kvstore',),
    )
    sync_bn: bool = setting(
        False, 'batch statistics over all GPUs of a process  [of each device]', kind=bool, immutable=True
    )
    gradient_compression: Optional[str] = setting(
        None, 'send 2 bits per gradient between devices: 2bit or 2bit:THRESHOLD  [all 32]'
    )
    batch_size: int = setting(
        32, 'images per device and step', '-b', '--batch-size', kind=int, minimum=1, section='Optimization'
    )
    total_batch_size: Optional[int] = setting(
        None,
        'images per step over all devices, instead of --batch-size',
        kind=int,
        minimum=1,
        replaces='batch_size',
    )
    epochs: int = setting(100, 'passes over the training data', kind=int, minimum=1, aliases=('--num-epochs',))
    accumulate: int = setting(
        1,
        'batches whose gradients are added before an update; a step has this many times the images',
        kind=int,
        minimum=1,
        immutable=True,
    )
    dtype: str = setting(
        'float32',
        'data type of convolutions and fully connected layers; float16 needs GPUs',
        choices=('float32', 'float16'),
        immutable=True,
    )
    optimizer: str = setting(
        'sgd', 'optimizer', choices=('sgd', 'nag', 'adam', 'adamw', 'lamb', 'lars'), immutable=True
    )
    lr: Optional[float] = setting(
        None, 'learning rate  [0.1; of detectors and segmentation that of their recipes]', kind=float, minimum=0
    )
    lr_base: Optional[float] = setting(
        None,
        'learning rate for 256 images per step, instead of --lr: scaled by images per step / 256',
        kind=float,
        minimum=0,
        replaces='lr',
    )
    momentum: float = setting(
        0.9, 'momentum (sgd, nag, lars)', kind=float, minimum=0, exclusive_maximum=1, aliases=('--mom',), immutable=True
    )
    beta1: float = setting(
        0.9,
        "decay of the gradients' mean (adam, adamw, lamb)",
        kind=float,
        minimum=0,
        exclusive_maximum=1,
        immutable=True,
    )
    beta2: float = setting(
        0.999,
        "decay of the squared gradients' mean (adam, adamw, lamb)",
        kind=float,
        minimum=0,
        exclusive_maximum=1,
        immutable=True,
    )
    epsilon: float = setting(
        1e-8, "added to the root of the squared gradients' mean (adam, adamw, lamb)", kind=float, minimum=0
    )
    wd: float = setting(1e-4, 'weight decay', kind=float, minimum=0)
    no_decay: bool = setting(
        False, "--no-decay leaves biases and BatchNorm's gamma and beta without weight decay", kind=bool
    )
    wd_mult: Dict[str, float] = setting(
        (), 'multiplies the weight decay of parameters or blocks, PATTERN=VALUE; repeat for more', kind=dict
    )
    lr_mult: Dict[str, float] = setting(
        (), 'multiplies the learning rate of parameters or blocks, PATTERN=VALUE; repeat for more', kind=dict
    )
    clip_norm: float = setting(
        0.0, 'largest norm of the gradient over all parameters and devices; 0 for any', kind=float, minimum=0
    )
    ema: float = setting(
        0.0,
        'decay of a moving average of the parameters, which is validated and kept as the best; 0 for none',
        kind=float,
        minimum=0,
        exclusive_maximum=1,
        immutable=True,
    )
    lr_mode: str = setting(
        'step', 'schedule of the learning rate', choices=('step', 'cosine', 'poly'), section='Schedule'
    )
    lr_step_epochs: List[float] = setting(
        (30, 60, 90),
        'epochs at which lr-mode step multiplies the learning rate',
        kind=list,
        aliases=('--lr-decay-epoch',),
    )
    lr_steps: List[float] = setting(
        (), 'steps at which lr-mode step multiplies the learning rate, instead of --lr-step-epochs', kind=list
    )
    lr_decay: float = setting(0.1, 'factor of lr-mode step', kind=float, minimum=0, aliases=('--lr-factor',))
    lr_power: float = setting(0.9, 'power of lr-mode poly, with which the rate falls to 0', kind=float, minimum=0)
    warmup_epochs: float = setting(0, 'epochs in which the learning rate grows from 0', kind=float, minimum=0)
    image_size: Optional[ImageSize] = setting(
        None,
        "side of square images in pixels, or height and width such as 32,64  [the network's]",
        kind=ImageSize,
        aliases=('--input-size',),
        immutable=True,
        section='Images and labels',
    )
    crop_ratio: Optional[float] = setting(
        None, "image size over the size before validation's crop  [the network's]", kind=float, immutable=True
    )
    resize: Optional[str] = setting(
        None,
        "how images of any size become those of --image-size, in validation  [the network's]",
        choices=RESIZES,
        immutable=True,
    )
    augment: Optional[str] = setting(
        None,
        'imagenet, imagenet_color, cifar, shift, face, face_color, face_color_jpeg or none; with masks segmentation, '
        'segmentation_color, flip or none; with boxes ssd, mosaic, '
        "centernet, flip or none  [the network's]",
        immutable=True,
    )
    label_smoothing: float = setting(
        0.0, 'share of the label that is spread over all classes', kind=float, minimum=0, exclusive_maximum=1
    )
    mixup: float = setting(0.0, 'alpha of mixing whole images and their labels; 0 for none', kind=float, minimum=0)
    cutmix: float = setting(0.0, 'alpha of mixing boxes of images and their labels; 0 for none', kind=float, minimum=0)
    output: Optional[str] = setting(None, 'folder of the run  [runs/NETWORK]', aliases=('--save-dir',), section='Run')
    resume: Optional[str] = setting(
        None, "'auto' continues the run in --output if there is one; or a run folder", in_files=False
    )
    seed: int = setting(
        0,
        'seed of the initial weights, the order and the augmentation',
        kind=int,
        minimum=0,
        exclusive_maximum=2**31,
        immutable=True,
    )
    log_interval: int = setting(50, 'steps between two log lines', kind=int, minimum=1, aliases=('--disp-batches',))
    save_interval: Optional[int] = setting(
        None, 'steps between two saved states  [none but after each epoch]', kind=int, minimum=1
    )
    save_minutes: float = setting(20, 'minutes between two saved states, 0 for no limit', kind=float, minimum=0)
    val_interval: Optional[int] = setting(
        None,
        'steps between two validations within an epoch, where there are validation data  [only after each epoch]',
        kind=int,
        minimum=1,
    )
    keep_best: int = setting(1, 'how many of the best validations to keep the parameters of', kind=int, minimum=1)
    early_stop: Optional[int] = setting(
        None, 'stop after this many epochs without a better validation  [never]', kind=int, minimum=1
    )
    tensorboard: bool = setting(False, 'also write events for TensorBoard', kind=bool)

    def check(self) -> TrainConfig:
        """Check what can be checked without looking at files or devices.

        Returns:
            The configuration itself, its values in their types.

        Raises:
            UsageError: a setting is missing, a value is out of its bounds, or settings contradict each other.
        """
        if not self.network:
            raise UsageError(
                f'{flag("network")} is needed, or {flag("pretrained")} with weights that name their network'
            )
        if not self.data_train:
            raise UsageError(f'{flag("data_train")} is needed')
        return self.check_values()

    def check_values(self) -> TrainConfig:
        """Check as :meth:`check` does, but allow ``network`` and ``data_train`` to be missing.

        Returns:
            The configuration itself, its values in their types.

        Raises:
            UsageError: a value is out of its bounds, or settings contradict each other.
        """
        replaced = self.replaced()
        for entry in fields(self):
            if entry.name not in replaced:
                setattr(self, entry.name, validated(flag(entry.name), getattr(self, entry.name), entry))
        self.compression()
        for name, needed in _ON_SERVERS.items() if self.kv_store == 'dist_async' else ():
            if getattr(self, name) != needed:
                raise UsageError(f'--kv-store dist_async cannot do {flag(name)} {getattr(self, name)}: use dist_sync')
        if self.pretrained is not None and self.zero_gamma:
            raise UsageError('--zero-gamma is for training from the start: leave it out with --pretrained')
        if self.optimizer == 'nag' and self.momentum == 0:
            raise UsageError('--optimizer nag needs a --momentum above 0, got 0: use sgd')
        for name, without in (('early_stop', None), ('keep_best', 1)):
            if getattr(self, name) != without and not self.data_val:
                raise UsageError(f'{flag(name)} {getattr(self, name)} needs validation data: give --data-val')
        if self.lr_steps and self.lr_mode != 'step':
            raise UsageError(f'--lr-steps is of --lr-mode step, got {self.lr_mode}: leave it out')
        if self.warmup_epochs >= self.epochs:
            raise UsageError(f'--warmup-epochs {self.warmup_epochs:g} must be less than --epochs {self.epochs}')
        return self

    def compression(self) -> Optional[Dict[str, Any]]:
        """``gradient_compression`` as ``compression_params`` of ``gluon.Trainer``; None without compression.

        Raises:
            UsageError: it is malformed, or the kvstore cannot compress.
        """
        if self.gradient_compression is None:
            return None
        kind, _, threshold = self.gradient_compression.partition(':')
        if kind != '2bit' or not re.fullmatch(r'(\d*\.)?\d+', threshold or '0.5') or float(threshold or 0.5) <= 0:
            raise UsageError(f'--gradient-compression takes 2bit or 2bit:THRESHOLD, got {self.gradient_compression!r}')
        if self.kv_store != 'device':
            raise UsageError(
                f"--gradient-compression needs --kv-store device, got {self.kv_store}: MXNet's Trainer cannot "
                'compress with the others'
            )
        return {'type': kind, 'threshold': float(threshold or 0.5)}

    def replaced(self) -> Dict[str, str]:
        """The settings that are replaced, with the names of those that replace them: ``lr`` where ``lr_base`` is set.

        Returns:
            Name of the replaced setting -> name of the one that replaces it.

        Raises:
            UsageError: both are set.
        """
        pairs, entries = {}, {entry.name: entry for entry in fields(self)}
        for entry in entries.values():
            name = entry.metadata['replaces']
            if name is None or getattr(self, entry.name) is None:
                continue
            if getattr(self, name) not in (None, default_of(entries[name])):
                raise UsageError(f'{flag(name)} and {flag(entry.name)} exclude each other: give one of them')
            pairs[name] = entry.name
        return pairs

    def as_dict(self) -> Dict[str, Any]:
        """The settings by name."""
        return asdict(self)

    def as_file(self) -> Dict[str, Any]:
        """The settings of ``config.yaml`` by name; one that another setting replaces is None."""
        replaced = [entry.metadata['replaces'] for entry in fields(self) if getattr(self, entry.name) is not None]
        values = self.as_dict()
        return {
            entry.name: None if entry.name in replaced else values[entry.name]
            for entry in fields(self)
            if entry.metadata['in_files']
        }

    def differences(self, earlier: Dict[str, Any], immutable: bool = True) -> List[str]:
        """The settings whose values differ from those of an earlier session, as flags with both values.

        Args:
            earlier: settings by name.
            immutable: compare the settings that a resumed run must keep; False for all others, except ``output`` and
                ``resume``. One that did not exist then had its default, unless that stands for what is found out.
        """
        defaults = {entry.name: default_of(entry) for entry in fields(self)}
        known = {**{name: each for name, each in defaults.items() if immutable and each is not None}, **earlier}
        # lists in files: height and width of images
        mine = {name: list(each) if isinstance(each, tuple) else each for name, each in self.as_dict().items()}
        return [
            f'{flag(entry.name)} {mine[entry.name]!r} (was {known[entry.name]!r})'
            for entry in fields(self)
            if entry.metadata['immutable'] == immutable
            and entry.name not in _OF_A_SESSION
            and entry.name in known
            and mine[entry.name] != known[entry.name]
        ]


SETTINGS = {entry.name: entry for entry in fields(TrainConfig)}
"""The settings that all tasks have, by name, as dataclass fields; see :func:`gluon_cbam.common.settings.setting` for
their metadata."""
