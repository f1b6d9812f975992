"""An exported file, loaded in an engine, with the metadata of its network."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import List, Optional

import numpy as np

from gluon_cbam.common.errors import DataError, UsageError
from gluon_cbam.common.files import PathLike
from gluon_cbam.compat.threads import physical_cores
from gluon_cbam.data.class_names import ClassNames
from gluon_cbam.data.loading.preprocessing import Preprocessing
from gluon_cbam.export.metadata import PIXELS, SYMBOL_SUFFIX, ExportMetadata
from gluon_cbam.export.onnx.file import read_metadata
from gluon_cbam.tasks import Task, get_task

from .engines import Run, find_engine


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
        pixels: whether preprocessing is part of the file, which then takes (N, H, W, 3) uint8 instead of
            (N, 3, H, W) float32.
        params_sha256: the SHA-256 of the parameter file that was exported; None for random weights.
        run: function from a batch to all outputs, NumPy arrays.
        task: the task that the network was trained for.
    """

    path: Path
    engine: str
    name: str
    classes: int
    class_names: Optional[List[str]]
    preprocessing: Preprocessing
    pixels: bool
    params_sha256: Optional[str]
    run: Run
    task: Task = field(default_factory=get_task)

    @property
    def named_classes(self) -> ClassNames:
        """The names of the classes with the file that has them, to compare them with those of data."""
        return ClassNames(str(self.path), self.class_names, self.classes)

    def prepare(self, image: np.ndarray) -> np.ndarray:
        """Prepare one image; :meth:`__call__` takes a stack of them.

        Args:
            image: (H, W, 3) uint8, RGB, of any size.

        Returns:
            (3, image_size, image_size) float32, or (image_size, image_size, 3) uint8 where preprocessing is part of the
            file.
        """
        return self.preprocessing.crop(image) if self.pixels else self.preprocessing(image)

    def __call__(self, batch: np.ndarray) -> np.ndarray:
        """Run the network on a stack of prepared images.

        Args:
            batch: (N, ...), see :meth:`prepare`.

        Returns:
            Logits, (N, classes) float32.

        Raises:
            DataError: the file gives feature maps.
        """
        self.require_classes()
        return self.run(batch)[0]

    def require_classes(self) -> int:
        """The number of classes.

        Raises:
            DataError: the file gives feature maps.
        """
        if not self.classes:
            raise DataError(f'{self.path} gives feature maps, no logits: use run()')
        return self.classes


def load_exported(path: PathLike, engine: str = 'auto', threads: Optional[int] = None) -> ExportedNetwork:
    """Load a file that ``cbam export`` wrote.

    Args:
        path: the path of the file, ending in ``.onnx`` or ``-symbol.json``.
        engine: ``onnxruntime`` or ``openvino`` for ONNX, ``mxnet`` for symbols; default ``auto``, the first of them
            that is installed.
        threads: the number of threads of the engine; default the physical cores of this process. MXNet takes
            ``OMP_NUM_THREADS``.

    Returns:
        The loaded file.

    Raises:
        UsageError: there is no such file, or the engine does not run this kind of file.
        DataError: the file is damaged, or was not written by ``cbam export``.
        DependencyError: the engine is not installed.

    Example:
        >>> network = gluon_cbam.export.load_exported('r50.onnx')
        >>> network(np.stack([network.prepare(image) for image in images])).shape
        (2, 1000)
    """
    path = Path(path)
    if not path.is_file():
        raise UsageError(f'no exported file {str(path)!r}')
    name, load = find_engine(path, engine)
    metadata = _metadata(path)
    return ExportedNetwork(
        path,
        name,
        metadata.network,
        metadata.classes,
        metadata.class_names,
        Preprocessing.from_dict(metadata.preprocessing),
        metadata.input == PIXELS,
        metadata.params_sha256,
        load(path, threads or physical_cores()),
        get_task(metadata.task),
    )


def _metadata(path: Path) -> ExportMetadata:
    if not path.name.endswith(SYMBOL_SUFFIX):
        return ExportMetadata.from_texts(read_metadata(path), str(path))
    from gluon_cbam.export.symbol import read_symbol_metadata  # imports mxnet

    return read_symbol_metadata(path)
