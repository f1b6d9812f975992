"""The other engines of ``cbam bench --compare``: which are installed, which run a network, on which weights.

Imports the standard library only, besides what starts processes.
"""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from typing import Dict, Iterator, List, NamedTuple, Optional, Sequence, Tuple

from gluon_cbam.common.errors import (
    CbamError,
    DataError,
    DependencyError,
    EnvironmentProblem,
    UsageError,
    closest,
)
from gluon_cbam.common.listing import listed
from gluon_cbam.common.packages import is_installed

from .context import BenchmarkContext
from .engines import supports
from .process import BenchmarkProcess


class Competitor(NamedTuple):
    """A value of ``--compare``.

    Attributes:
        engines: its engines.
        packages: the packages that they need.
        install: what pip installs them by.
        options: whether networks with options are compared.
    """

    engines: Tuple[str, ...]
    packages: Tuple[str, ...]
    install: str
    options: bool = False


COMPETITORS: Dict[str, Competitor] = {
    'gluoncv2': Competitor(('gluoncv2',), ('gluoncv2',), 'gluoncv2'),
    'gluoncv': Competitor(('gluoncv', 'gluoncv fused'), ('gluoncv', 'gluoncv2'), 'gluoncv gluoncv2', True),
    'torch': Competitor(('torch', 'torch channels_last'), ('torch',), 'torch'),
    'torch_compile': Competitor(('torch compiled',), ('torch',), 'torch'),
    'onnxruntime': Competitor(('onnxruntime',), ('onnx', 'onnxruntime'), "'gluon_cbam[onnx]'", True),
    'openvino': Competitor(
        ('openvino', 'openvino throughput'), ('onnx', 'onnxruntime', 'openvino'), "'gluon_cbam[onnx,openvino]'", True
    ),
}
INSTALLED = 'installed'
"""The value of ``--compare`` for all of :data:`COMPETITORS` that are installed."""
WRITER = 'gluon_cbam.benchmarks.reference_writer:write'


class Comparison:
    """The engines to compare one context with.

    Args:
        context: our network.
        names: keys of :data:`COMPETITORS`, or :data:`INSTALLED`, separated by commas.

    Attributes:
        contexts: a context for each engine.
        left_out: engine or name -> the reason why it is not measured.

    Raises:
        UsageError: an unknown name, or no engine is left.
        DependencyError: a package of an engine that is named is not installed.
    """

    def __init__(self, context: BenchmarkContext, names: str):
        given = list(dict.fromkeys(filter(None, names.split(','))))
        for name in given:
            if name not in (*COMPETITORS, INSTALLED):
                hint, known = closest(name, COMPETITORS), f'known: {", ".join([*COMPETITORS, INSTALLED])}'
                raise UsageError(
                    f'unknown engine {name!r} of --compare: {f"{hint} {known}" if hint.endswith("?") else known}'
                )
        self._named = set(given) - {INSTALLED}
        self._last: CbamError = UsageError('--compare names no engine')
        self.contexts: List[BenchmarkContext] = []
        self.left_out: Dict[str, str] = {}
        for name in COMPETITORS if INSTALLED in given else given:
            self._add(context, name)
        self._check()

    def _add(self, context: BenchmarkContext, name: str) -> None:
        reason, row = _unable(context, name), COMPETITORS[name]
        missing = [package for package in row.packages if not is_installed(package)]
        if reason:
            self.left_out[name], self._last = reason, UsageError(f'{name} {reason}')
        elif missing:
            self.left_out[name] = f'{listed(missing)} not installed: pip install {row.install}'
            if name in self._named:
                raise DependencyError(f'--compare {name}: {self.left_out[name]}')
        else:
            self.contexts += [context.replace(engine=engine) for engine in row.engines]

    def refused(self, context: BenchmarkContext, error: CbamError) -> None:
        """Leave out an engine whose process says that it does not run the network.

        Args:
            context: its context.
            error: the error of its process.

        Raises:
            CbamError: it is another error, for instance that the outputs are wrong; the process of our network; a
                package that is missing for an engine that is named; or no engine is left.
        """
        name = next((name for name, row in COMPETITORS.items() if context.engine in row.engines), '')
        unable = (UsageError, DataError) if name in self._named else (UsageError, DataError, EnvironmentProblem)
        if context.replace(reference=None) not in self.contexts or not isinstance(error, unable):
            raise error
        self.contexts.remove(context.replace(reference=None))
        self.left_out[context.engine], self._last = str(error).partition(f'{context.name}: ')[2], error
        self._check()

    def _check(self) -> None:
        """Raise the last error if the engines were named, and none of them is left."""
        if self._named and not self.contexts:
            raise self._last


def _unable(context: BenchmarkContext, name: str) -> str:
    """Why an engine cannot be compared, whatever is installed; empty if it can."""
    row = COMPETITORS[name]
    if context.with_decode or not all(supports(engine, context.mode) for engine in row.engines):
        return f'cannot be compared at {context.mode}{" --with-decode" * context.with_decode}'
    if context.options and not row.options:
        return f'has no options {context.options}: leave --compare or --option out'
    return ''


@contextmanager
def same_weights(contexts: Sequence[BenchmarkContext]) -> Iterator[List[BenchmarkContext]]:
    """Give the engines the same weights, and the outputs that theirs are compared with before they are measured.

    Args:
        contexts: descriptions of the measurements, that of our network first.

    Yields:
        The contexts, in their order; those of the same network at ``predict`` have a reference. They are those that are
        given where nothing is to be compared, and for detectors.

    Raises:
        CbamError: the network cannot be built.
    """
    alike = [context for context in contexts if _is_alike(contexts[0], context)]
    if all(_how(context) == _how(contexts[0]) for context in alike):
        yield list(contexts)
        return
    with tempfile.TemporaryDirectory(prefix='cbam-bench-') as folder:
        writer = contexts[0].replace(workload=WRITER, reference=folder, engine='gluon_cbam')
        with BenchmarkProcess(writer) as process:
            written = process.facts['written']
        yield [context.replace(reference=folder) if written and context in alike else context for context in contexts]


def _how(context: BenchmarkContext) -> Tuple[str, Optional[str], Dict[str, str]]:
    """What decides how outputs are computed."""
    return context.engine, context.workload, context.environment


def _is_alike(ours: BenchmarkContext, context: BenchmarkContext) -> bool:
    """Whether the weights of our network can be those of a context."""
    same = (context.network, context.classes, context.options) == (ours.network, ours.classes, ours.options)
    return same and context.mode == 'predict' and not context.with_decode
