"""The description of a measurement, which goes to the benchmark process as JSON."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any, Dict, Optional

from gluon_cbam.common.errors import UsageError


@dataclass(frozen=True)
class BenchmarkContext:
    """All that determines a measurement.

    Attributes:
        mode: what is measured, a key of :data:`.engines.ENGINES`.
        engine: what runs it, a key there.
        network: its name in this package, whatever the engine calls it.
        batch: images in a batch.
        image_size: height and width of the images, in pixels.
        classes: outputs of the network.
        options: of the network, for engines with networks of this package.
        gpus: as ``--gpus`` takes it.
        cpus: as ``--cpus`` takes it.
        workers: decoding threads.
        data: a .rec file, for modes that read images.
        with_decode: whether ``predict`` includes decoding image files.
        calls: in a repetition.
        threads: of the engine's arithmetic.
        environment: further variables of the process.
        label: the name in reports; default engine and network.
        workload: ``module:function`` that makes the workload; default that of engine and mode.
    """

    mode: str
    engine: str = 'gluon_cbam'
    network: str = ''
    batch: int = 8
    image_size: int = 224
    classes: int = 1000
    options: Dict[str, Any] = field(default_factory=dict)
    gpus: Optional[str] = None
    cpus: Optional[int] = None
    workers: int = 1
    data: Optional[str] = None
    with_decode: bool = False
    calls: int = 1
    threads: int = 1
    environment: Dict[str, str] = field(default_factory=dict)
    label: str = ''
    workload: Optional[str] = None

    @property
    def name(self) -> str:
        """The name in reports."""
        return self.label or ' '.join(filter(None, (self.engine, self.network)))

    @property
    def record_path(self) -> str:
        """The .rec file.

        Raises:
            UsageError: there is none.
        """
        if self.data is None:
            raise UsageError(f'{self.mode} needs --data, a .rec file')
        return self.data

    def replace(self, **changes: Any) -> BenchmarkContext:
        """A copy with other attributes.

        Args:
            **changes: attributes by name.
        """
        return dataclasses.replace(self, **changes)

    def as_dict(self) -> Dict[str, Any]:
        """The attributes by name, for JSON."""
        return dataclasses.asdict(self)
