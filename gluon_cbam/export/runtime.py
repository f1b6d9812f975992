"""Running exported files: ONNX with ONNX Runtime or OpenVINO, symbols with stock MXNet."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable, List, Optional, Union

import numpy as np

from gluon_cbam.common.errors import DataError, UsageError, closest
from gluon_cbam.common.files import PathLike
from gluon_cbam.common.packages import is_installed, needed
from gluon_cbam.compat.threads import physical_cores
from gluon_cbam.data.loading.preprocessing import Preprocessing
from gluon_cbam.tasks import Task, get_task

from .metadata import PIXELS, Description
from .onnx.file import read_metadata

Run = Callable[[np.ndarray], List[np.ndarray]]
"""From a batch to all outputs."""
_SYMBOL = '-symbol.json'


@dataclass(frozen=True)
class ExportedNetwork:
    """A file that runs, in place of a :class:`gluon_cbam.inference.network.LoadedNetwork`.

    Attributes:
        path: of the file.
        engine: that runs it.
        name: of the network.
        classes: outputs; 0 for maps of features.
        class_names: in the order of the outputs, or None.
        preprocessing: that the weights want.
        pixels: whether it is inside, so that (N, H, W, 3) uint8 goes in instead of (N, 3, H, W) float32.
        params_sha256: of the parameter file that was exported; None for random weights.
        run: from a batch to all outputs, numpy arrays.
        task: that the network was trained for.
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

    def prepare(self, image: np.ndarray) -> np.ndarray:
        """One image as :meth:`__call__` takes a stack of them.

        Args:
            image: (H, W, 3) uint8, RGB, of any size.

        Returns:
            (3, image_size, image_size) float32, or (image_size, image_size, 3) uint8 where the preprocessing is inside.
        """
        return self.preprocessing.crop(image) if self.pixels else self.preprocessing(image)

    def __call__(self, batch: np.ndarray) -> np.ndarray:
        """The logits of a stack of prepared images, (N, classes) float32.

        Raises:
            DataError: the file gives maps of features.
        """
        self.require_classes()
        return self.run(batch)[0]

    def require_classes(self) -> int:
        """How many classes it tells apart.

        Raises:
            DataError: it gives maps of features.
        """
        if not self.classes:
            raise DataError(f'{self.path} gives maps of features, no logits: use run()')
        return self.classes


def load_exported(path: PathLike, engine: str = 'auto', threads: Optional[int] = None) -> ExportedNetwork:
    """Load a file that ``cbam export`` wrote.

    Args:
        path: ending in ``.onnx`` or ``-symbol.json``.
        engine: ``onnxruntime`` or ``openvino`` for ONNX, ``mxnet`` for symbols; ``auto`` takes the first that is
            installed.
        threads: of the engine; default the physical cores of this process. MXNet takes ``OMP_NUM_THREADS``.

    Raises:
        UsageError: there is no such file, or the engine does not run this kind of file.
        DataError: the file is damaged, or was not written by ``cbam export``.
        DependencyError: the engine is not installed.
    """
    path = Path(path)
    if not path.is_file():
        raise UsageError(f'no exported file {str(path)!r}')
    name, make = _engine(path, engine)
    if path.name.endswith(_SYMBOL):
        described = _of_symbol(path)
    else:
        described = Description.from_texts(read_metadata(path), str(path))
    return ExportedNetwork(
        path,
        name,
        described.network,
        described.classes,
        described.class_names,
        Preprocessing.from_dict(described.preprocessing),
        described.input == PIXELS,
        described.params_sha256,
        make(path, threads or physical_cores()),
        get_task(described.task),
    )


def _engine(path: Path, engine: str):
    """Name and function of the engine for a file."""
    kind = _SYMBOL if path.name.endswith(_SYMBOL) else path.suffix
    if kind not in _ENGINES:
        raise UsageError(f'exported files end in {" or ".join(_ENGINES)}, got {str(path)!r}')
    engines = _ENGINES[kind]
    known = [name for table in _ENGINES.values() for name in table]
    if engine not in ('auto', *known):
        raise UsageError(f'unknown engine {engine!r}: {closest(engine, ["auto", *known])}')
    if engine == 'auto':
        engine = next((name for name in engines if is_installed(name)), next(iter(engines)))
    if engine not in engines:
        raise UsageError(f'{engine} does not run {path.name}: use {" or ".join(engines)}')
    return engine, engines[engine]


def onnxruntime_session(model: Union[str, bytes], threads: int) -> Run:
    """A function from a batch to all outputs of a model.

    Args:
        model: path of a file, or the bytes of one.
        threads: of the session.

    Raises:
        DependencyError: ONNX Runtime is not installed.
    """
    runtime = needed('onnxruntime')
    options = runtime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3  # from 1.18 on it warns once for every initializer that it folds
    session = runtime.InferenceSession(model, options, providers=['CPUExecutionProvider'])
    name = session.get_inputs()[0].name
    return lambda batch: session.run(None, {name: batch})


def _onnxruntime(path: Path, threads: int) -> Run:
    needed('onnxruntime')
    try:
        return onnxruntime_session(str(path), threads)
    except Exception as error:
        raise _unusable(path, 'ONNX Runtime', error) from error


def _openvino(path: Path, threads: int) -> Run:
    openvino = needed('openvino')
    # float32 where the CPU would otherwise choose bfloat16
    settings = {'INFERENCE_NUM_THREADS': threads, 'INFERENCE_PRECISION_HINT': 'f32', 'PERFORMANCE_HINT': 'LATENCY'}
    try:
        core = openvino.Core()
        compiled = core.compile_model(core.read_model(str(path)), 'CPU', settings)
    except Exception as error:
        raise _unusable(path, 'OpenVINO', error) from error
    request = compiled.create_infer_request()

    def run(batch: np.ndarray) -> List[np.ndarray]:
        request.infer({0: batch})
        return [np.array(request.get_output_tensor(number).data) for number in range(len(compiled.outputs))]

    return run


def _mxnet(path: Path, threads: int) -> Run:
    from .symbol import load

    return load(path)


def _of_symbol(path: Path) -> Description:
    from .symbol import describe

    return describe(path)


def _unusable(path: Path, engine: str, error: Exception) -> DataError:
    said = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
    return DataError(f'{path}: {engine} does not take it: {said[:300]}')


_ENGINES = {'.onnx': {'onnxruntime': _onnxruntime, 'openvino': _openvino}, _SYMBOL: {'mxnet': _mxnet}}
"""Ending -> engine -> function of path and threads; the first that is installed is the default."""
