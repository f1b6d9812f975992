"""The engines that run exported files: ONNX Runtime and OpenVINO for ONNX, stock MXNet for symbols."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Callable, Dict, NamedTuple, Optional, Tuple

from gluon_cbam.common.errors import UsageError, closest
from gluon_cbam.common.listing import listed
from gluon_cbam.common.packages import is_installed
from gluon_cbam.export.metadata import SYMBOL_SUFFIX

from .onnxruntime_engine import start_onnxruntime
from .openvino_engine import place_on_openvino, start_openvino
from .placement import Placement, Start
from .providers import place_on_provider

Place = Callable[[Optional[str], Optional[str], Optional[str], int, str], Placement]
"""Function of provider, device, precision, threads and the precision of the file, which checks them."""


class Engine(NamedTuple):
    """An engine.

    Attributes:
        place: checks where a file shall run.
        start: loads a file.
    """

    place: Place
    start: Callable[[Path, Placement], Start]


def _place_on_mxnet(
    provider: Optional[str], device: Optional[str], precision: Optional[str], threads: int, numbers: str
) -> Placement:
    given = {'provider': provider, 'device': device, 'precision': precision}
    name = next((name for name, value in given.items() if value is not None), None)
    if name:
        raise UsageError(
            f'a symbol runs on the CPU, in MXNet: leave {name} {given[name]!r} out, or export the network to ONNX'
        )
    return Placement(threads=threads, numbers=numbers)


def _start_mxnet(path: Path, placement: Placement) -> Start:
    from gluon_cbam.export.symbol import load_symbol  # imports mxnet

    run = load_symbol(path)
    return lambda batch: partial(run, batch)


_ENGINES: Dict[str, Dict[str, Engine]] = {
    '.onnx': {
        'onnxruntime': Engine(place_on_provider, start_onnxruntime),
        'openvino': Engine(place_on_openvino, start_openvino),
    },
    SYMBOL_SUFFIX: {'mxnet': Engine(_place_on_mxnet, _start_mxnet)},
}
"""Suffix -> engine by name; the first engine that is installed is the default."""


def find_engine(path: Path, engine: str, provider: Optional[str] = None) -> Tuple[str, Engine]:
    """Find the engine for a file.

    Args:
        path: the path of the file.
        engine: its name, or ``auto`` for the first one that is installed.
        provider: the execution provider; with one, ``auto`` is the first engine, which has them.

    Returns:
        The name of the engine, and the engine.

    Raises:
        UsageError: an unknown engine, or one that does not run this kind of file.
    """
    kind = SYMBOL_SUFFIX if path.name.endswith(SYMBOL_SUFFIX) else path.suffix
    if kind not in _ENGINES:
        raise UsageError(f'exported files end in {listed(_ENGINES, "or")}, got {str(path)!r}')
    engines = _ENGINES[kind]
    known = [name for table in _ENGINES.values() for name in table]
    if engine not in ('auto', *known):
        raise UsageError(f'unknown engine {engine!r}: {closest(engine, ["auto", *known])}')
    if engine == 'auto':
        first = next(iter(engines))
        engine = first if provider else next((name for name in engines if is_installed(name)), first)
    if engine not in engines:
        raise UsageError(f'{engine} does not run {path.name}: use {listed(engines, "or")}')
    return engine, engines[engine]
