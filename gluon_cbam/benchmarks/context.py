"""What a side is told: everything that makes a measurement, as JSON carries it to another process."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import Any, Dict, Optional


@dataclass(frozen=True)
class Spec:
    """One measurement.

    Attributes:
        mode: what is done: a key of :data:`.subjects.SUBJECTS`.
        engine: who does it: a key there.
        network: its name here, whatever the engine calls it.
        batch: images a call.
        image_size: height and width of the images in pixels.
        classes: outputs of the network.
        options: of the network, where the engine is ours.
        gpus: as ``--gpus`` takes it.
        cpus: as ``--cpus`` takes it.
        workers: threads that decode.
        data: a .rec file, for what reads images.
        with_decode: whether ``predict`` begins with image files.
        calls: of a repetition.
        threads: of the engine's arithmetic.
        environment: further variables of its process.
        label: what people call it, where engine and network do not say enough.
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

    @property
    def name(self) -> str:
        """For people: engine and network, or the label."""
        return self.label or ' '.join(filter(None, (self.engine, self.network)))

    def but(self, **changes: Any) -> Spec:
        """The same with other attributes."""
        return replace(self, **changes)

    def as_dict(self) -> Dict[str, Any]:
        """The attributes by name."""
        return asdict(self)
