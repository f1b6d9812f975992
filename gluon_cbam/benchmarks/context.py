"""The description of a measurement, which the benchmark process gets as JSON."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any, Dict, Optional, Tuple

from gluon_cbam.common.errors import UsageError
from gluon_cbam.common.image_size import ImageSize, height_width, image_size_of


@dataclass(frozen=True)
class BenchmarkContext:
    """The complete description of a measurement.

    Attributes:
        mode: what is measured, one of :data:`gluon_cbam.benchmarks.MODES`.
        engine: the implementation that is measured, a key of :data:`.engines.ENGINES`.
        network: name of the network in this package, for every engine.
        batch: number of images in a batch.
        image_size: the side of square images in pixels, or height and width.
        classes: number of outputs of the network.
        options: options of the network, for engines with networks of this package.
        dtype: ``float32``, or ``float16`` on GPUs.
        gpus: value of ``--gpus``; default None, the CPU.
        cpus: value of ``--cpus``; default None, one CPU device.
        workers: number of decoding threads.
        data: path of a .rec file, for modes that read images.
        decode: how the loader of images decodes JPEGs, as ``--decode`` of ``cbam train``; default ``exact``.
        with_decode: whether ``predict`` includes decoding image files.
        calls: number of calls in a repetition.
        threads: number of threads of the engine's arithmetic.
        environment: further environment variables of the process.
        label: name in reports; default engine and network.
        task: task of the training and the validation, a key of :data:`gluon_cbam.tasks.TASKS`; default classification.
        workload: ``module:function`` that makes the workload; default the one of engine and mode.
        reference: folder with the weights that the engines get, and the outputs that theirs are compared with, see
            :mod:`.reference`; default None, random weights of each engine's own.
    """

    mode: str
    engine: str = 'gluon_cbam'
    network: str = ''
    batch: int = 8
    image_size: ImageSize = 224
    classes: int = 1000
    options: Dict[str, Any] = field(default_factory=dict)
    dtype: str = 'float32'
    gpus: Optional[str] = None
    cpus: Optional[int] = None
    workers: int = 1
    data: Optional[str] = None
    decode: str = 'exact'
    with_decode: bool = False
    calls: int = 1
    threads: int = 1
    environment: Dict[str, str] = field(default_factory=dict)
    label: str = ''
    task: Optional[str] = None
    workload: Optional[str] = None
    reference: Optional[str] = None

    def __post_init__(self) -> None:
        object.__setattr__(self, 'image_size', image_size_of(self.image_size))  # a list in JSON

    @property
    def shape(self) -> Tuple[int, int]:
        """Height and width of the images, in pixels."""
        return height_width(self.image_size)

    @property
    def name(self) -> str:
        """The name in reports."""
        return self.label or ' '.join(filter(None, (self.engine, self.network)))

    @property
    def channels(self) -> int:
        """The channels of the images, which are those of the network: 3 unless its options give others."""
        return self.options.get('in_channels', 3)

    @property
    def record_path(self) -> str:
        """The path of the .rec file.

        Raises:
            UsageError: ``data`` is None.
        """
        if self.data is None:
            raise UsageError(f'{self.mode} needs --data, a .rec file')
        return self.data

    def replace(self, **changes: Any) -> BenchmarkContext:
        """A copy with other attributes.

        Args:
            **changes: attributes by name.

        Returns:
            The copy.
        """
        return dataclasses.replace(self, **changes)

    def as_dict(self) -> Dict[str, Any]:
        """The attributes by name, as values for JSON."""
        return dataclasses.asdict(self)
