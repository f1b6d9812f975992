"""An exported file, loaded in an engine, with the metadata of its network."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple, Union

import numpy as np

from gluon_cbam.common.errors import DataError, UsageError
from gluon_cbam.common.files import PathLike
from gluon_cbam.common.image_size import ImageSize, image_size_text, shown_image_size, square_side
from gluon_cbam.compat.threads import physical_cores
from gluon_cbam.data.class_names import ClassNames
from gluon_cbam.data.loading.preprocessing import Preprocessing
from gluon_cbam.export.metadata import PIXELS, SYMBOL_SUFFIX, ExportMetadata
from gluon_cbam.export.onnx.file import read_contents
from gluon_cbam.export.precision import FLOAT32
from gluon_cbam.tasks import Task, get_task

from .engines import find_engine
from .placement import Placement, Run, Start
from .verification import IMAGES, Verification, verified


@dataclass(frozen=True)
class ExportedNetwork:
    """An exported file in its engine, the counterpart of a :class:`gluon_cbam.inference.network.LoadedNetwork`.

    Attributes:
        path: the path of the file.
        engine: the engine that runs it: ``onnxruntime``, ``openvino`` or ``mxnet``.
        name: the name of the network.
        classes: number of classes; 0 for feature maps.
        class_names: the names of the classes, in the order of the outputs, or None.
        preprocessing: the preprocessing of the images.
        pixels: whether preprocessing is part of the file, which then takes (N, H, W, C) uint8 instead of
            (N, C, H, W) float32.
        params_sha256: the SHA-256 of the parameter file that was exported; None for random weights.
        start: copies a batch to the device, and returns the function that computes all outputs, NumPy arrays.
        task: the task that the network was trained for.
        placement: where the engine computes, and in which precision.
        verification: the comparison with the CPU, which the first batch completes; None without ``verify``.
        embeddings: whether the file says that its outputs are embeddings.
        nms: False for a detector whose file gives boxes and scores before the suppression.
        dynamic: whether the file takes images of any size; predictions are made at that of ``preprocessing``.
    """

    path: Path
    engine: str
    name: str
    classes: int
    class_names: Optional[List[str]]
    preprocessing: Preprocessing
    pixels: bool
    params_sha256: Optional[str]
    start: Start
    task: Task = field(default_factory=get_task)
    placement: Placement = Placement()
    verification: Optional[Verification] = None
    embeddings: bool = False
    nms: bool = True
    dynamic: bool = False

    @property
    def gives_detections(self) -> bool:
        """Whether the output is the detections of each image, (N, keep, 6)."""
        return self.task.finds_boxes and self.classes > 0 and self.nms

    @property
    def gives_boxes(self) -> bool:
        """Whether the outputs are detections, or the boxes and scores of a detector before its suppression."""
        return self.gives_detections or not self.nms

    @property
    def named_classes(self) -> ClassNames:
        """The names of the classes with the file that has them, to compare them with those of data."""
        return ClassNames(str(self.path), self.class_names, self.classes)

    def prepare(self, image: np.ndarray) -> np.ndarray:
        """Prepare one image; :meth:`__call__` takes a stack of them.

        Args:
            image: (H, W, 3) uint8, RGB, of any size.

        Returns:
            (C, height, width) float32, or (height, width, C) uint8 where preprocessing is part of the file.
        """
        return self.normalize(self.preprocessing.crop(image))

    def normalize(self, pixels: np.ndarray) -> np.ndarray:
        """Prepare what ``preprocessing.crop`` returned.

        Args:
            pixels: (height, width, 3) uint8, RGB.

        Returns:
            What :meth:`prepare` returns.
        """
        return self.preprocessing.to_channels(pixels) if self.pixels else self.preprocessing.normalize(pixels)

    def __call__(self, batch: np.ndarray) -> np.ndarray:
        """Run the network on a stack of prepared images.

        Args:
            batch: (N, ...), see :meth:`prepare`.

        Returns:
            Logits, (N, classes) float32; of a detector its detections, (N, keep, 6) float32.

        Raises:
            DataError: the file gives feature maps.
        """
        self.require_classes()
        return self.run(batch)[0]

    def run(self, batch: np.ndarray) -> List[np.ndarray]:
        """All outputs for a stack of prepared images, see :meth:`prepare`; an array for each."""
        return self.start(batch)()

    def engine_as_dict(self) -> Dict[str, Any]:
        """The file, the engine and its placement, and the comparison with the CPU, for JSON."""
        placed = {'provider': self.placement.provider, 'device': self.placement.device}
        placed['precision'] = self.placement.coarsest  # of an int8 file, int8
        chosen = {name: value for name, value in placed.items() if value is not None}
        return {'exported': str(self.path), 'engine': self.engine, **chosen, **self.verification_as_dict()}

    def verification_as_dict(self) -> Dict[str, Any]:
        """The comparison with the CPU, for JSON: ``verify``, or nothing without one."""
        return {} if self.verification is None else {'verify': self.verification.as_dict()}

    def require_classes(self) -> int:
        """The number of classes.

        Raises:
            DataError: the file gives feature maps.
        """
        if not self.classes:
            raise DataError(f'{self.path} gives feature maps, no logits: use run()')
        return self.classes


def load_exported(
    path: PathLike,
    engine: str = 'auto',
    threads: Optional[int] = None,
    provider: Optional[str] = None,
    device: Union[str, int, None] = None,
    precision: Optional[str] = None,
    verify: bool = False,
    image_size: Optional[ImageSize] = None,
) -> ExportedNetwork:
    """Load a file that ``cbam export`` wrote.

    Args:
        path: the path of the file, ending in ``.onnx`` or ``-symbol.json``.
        engine: ``onnxruntime`` or ``openvino`` for ONNX, ``mxnet`` for symbols; default ``auto``, the first of them
            that is installed.
        threads: the number of threads of the engine on the CPU; default the physical cores of this process. MXNet takes
            ``OMP_NUM_THREADS``.
        provider: the execution provider of ONNX Runtime, a key of
            :data:`gluon_cbam.export.runtime.providers.PROVIDERS`; default ``cpu``.
        device: the number of a GPU, from 0; for OpenVINO a name such as ``GPU.0``. Default the first GPU of the
            provider, for OpenVINO the CPU.
        precision: the precision of the arithmetic, one that the provider offers; default ``float32``.
        verify: compare the outputs with those of the CPU, for random images now and for the first batch before its
            outputs are returned; default False.
        image_size: the size that images are prepared to, a number of pixels or height and width, where the file leaves
            it free; default that of the network.

    Returns:
        The loaded file.

    Raises:
        UsageError: there is no such file, the engine does not run this kind of file, it has no such provider, device or
            precision, or the file is for images of another size.
        DataError: the file is damaged, or was not written by ``cbam export``; or the outputs differ from the CPU's.
        DependencyError: the engine or the provider is not installed, or cannot be loaded.
        EnvironmentProblem: the device does not exist.

    Example:
        >>> network = gluon_cbam.export.load_exported('r50.onnx')
        >>> network(np.stack([network.prepare(image) for image in images])).shape
        (2, 1000)
    """
    path = Path(path)
    if not path.is_file():
        raise UsageError(f'no exported file {str(path)!r}')
    name, row = find_engine(path, engine, provider)
    metadata, numbers = _contents(path)
    device = None if device is None else str(device)
    placement = row.place(provider, device, precision, threads or physical_cores(), numbers)
    loaded = ExportedNetwork(
        path,
        name,
        metadata.network,
        metadata.classes,
        metadata.class_names,
        _preprocessing(path, metadata, image_size),
        metadata.input == PIXELS,
        metadata.params_sha256,
        row.start(path, placement),
        get_task(metadata.task),
        placement,
        embeddings=bool(metadata.embeddings),
        nms=metadata.nms is not False,
        dynamic=bool(metadata.dynamic),
    )
    return _verified(loaded, threads) if verify else loaded


def _preprocessing(path: Path, metadata: ExportMetadata, image_size: Optional[ImageSize]) -> Preprocessing:
    """The preprocessing of a file, to another size where it is free."""
    preprocessing = metadata.input_preprocessing
    if image_size is None:
        return preprocessing
    changed = replace(preprocessing, image_size=image_size)
    if changed == preprocessing:
        return preprocessing
    got = image_size_text(changed.image_size)
    if not metadata.dynamic:
        size = shown_image_size(preprocessing.image_size)
        raise UsageError(f'{path} takes images of {size} pixels, got {got}: export ONNX with --dynamic')
    least = metadata.smallest or 1
    if min(changed.shape) < least:
        raise UsageError(f'{path} takes images of at least {least} x {least} pixels, got {got}')
    if metadata.embeddings:
        square_side(changed.image_size, f'{path}, which gives embeddings,')
    return changed


def _verified(loaded: ExportedNetwork, threads: Optional[int]) -> ExportedNetwork:
    """The network, which is compared with the same file on the CPU."""
    name, reference = _on_cpu(loaded.path, loaded.placement.numbers, threads or physical_cores())
    shape = loaded.preprocessing.shape
    images = np.random.RandomState(0).randint(0, 256, (IMAGES, *shape, 3)).astype(np.uint8)
    batch = np.stack([loaded.prepare(image) for image in images])
    where = f'{loaded.engine} {loaded.placement.text}'.strip()
    verification = Verification(where, loaded.placement.coarsest, loaded.gives_boxes)
    start = verified(loaded.start, reference, batch, verification)
    return replace(loaded, start=start, verification=verification)


def _on_cpu(path: Path, numbers: str, threads: int) -> Tuple[str, Run]:
    """The name of the engine that is compared with, and a function from a batch to all outputs on the CPU."""
    name, row = find_engine(path, 'auto')
    if path.name.endswith(SYMBOL_SUFFIX):
        raise UsageError(f'{path.name} runs on the CPU, in MXNet: there is nothing to verify')
    start = row.start(path, row.place(None, None, None, threads, numbers))
    return name, lambda batch: start(batch)()


def _contents(path: Path) -> Tuple[ExportMetadata, str]:
    """The metadata of a file, and the precision of its numbers."""
    if not path.name.endswith(SYMBOL_SUFFIX):
        found = read_contents(path)
        return ExportMetadata.from_texts(found.metadata, str(path)), found.precision
    from gluon_cbam.export.symbol import read_symbol_metadata  # imports mxnet

    return read_symbol_metadata(path), FLOAT32
