"""Prepared imports: run a step around the first import of a package, whoever imports it."""

from __future__ import annotations

import importlib.util
import sys
from contextlib import ExitStack, contextmanager
from typing import Callable, ContextManager, Dict

# What the preparations need is imported inside them: they are for programs that import mxnet, and few do at once. The
# base classes of importlib.abc, which finders and loaders may do without, would cost a tenth of the start of `cbam`.


@contextmanager
def _for_mxnet():
    from gluon_cbam.common.errors import DependencyError

    from . import cuda, threads, versions

    versions.require_supported()
    threads.set_default()
    cuda.preload()
    with _numpy_bool(), ExitStack() as stack:
        if 'sklearn' not in sys.modules:
            # mxnet.model derives a deprecated class from scikit-learn's if it can: 0.7 s of every start
            stack.enter_context(_hidden('sklearn'))
        try:
            yield
        except OSError as error:
            raise DependencyError(f"mxnet's library cannot be loaded: {error}") from error


@contextmanager
def _numpy_bool():
    """mxnet 1.9.1 reads ``numpy.bool`` while it is imported (mxnet/numpy/utils.py:37); numpy 1.24 removed that name.

    The name goes again afterwards, since other packages tell numpy 2 from numpy 1 by it.
    """
    import numpy

    if 'bool' in vars(numpy):
        yield
        return
    numpy.bool = bool
    try:
        yield
    finally:
        del numpy.bool


@contextmanager
def _for_gluoncv():
    """gluoncv 0.10.5 raises RuntimeError when it sees torch >= 2; without torch it uses mxnet alone."""
    from . import versions

    torch = versions.installed('torch')
    with ExitStack() as stack:
        if torch is not None and int(torch.split('.')[0]) >= 2:
            stack.enter_context(_hidden('torch'))
        yield


@contextmanager
def _hidden(package: str):
    """Let ``import package`` fail, as if it were not installed.

    ``sys.modules[package] = None`` would do so too, but scipy looks for torch there and trips over the None.
    """
    module = sys.modules.pop(package, None)
    finder = _HidingFinder(package)
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
        if module is not None:
            sys.modules[package] = module


class _HidingFinder:
    """Finds that a package does not exist."""

    def __init__(self, package: str):
        self._package = package

    def find_spec(self, name, path=None, target=None):
        if name.partition('.')[0] == self._package:
            raise ModuleNotFoundError(f'{self._package} is hidden during this import', name=name)


class _PreparedLoader:
    """Runs a module's own loader inside a preparation, then hands the module over to it."""

    def __init__(self, loader, prepare: Callable[[], ContextManager]):
        self._loader = loader
        self._prepare = prepare

    def create_module(self, spec):
        return self._loader.create_module(spec)

    def exec_module(self, module):
        module.__spec__.loader = module.__loader__ = self._loader
        with self._prepare():
            self._loader.exec_module(module)


class _PreparedFinder:
    """Finds the named packages as the other finders would, with a prepared loader."""

    def __init__(self, prepare: Dict[str, Callable[[], ContextManager]]):
        self._prepare = prepare
        self._searching = set()

    def find_spec(self, name, path=None, target=None):
        if name not in self._prepare or name in self._searching:
            return None
        self._searching.add(name)
        try:
            spec = importlib.util.find_spec(name)
        finally:
            self._searching.discard(name)
        if spec is not None and spec.loader is not None:
            spec.loader = _PreparedLoader(spec.loader, self._prepare[name])
        return spec


def install() -> None:
    """Prepare the coming imports of mxnet and gluoncv. Calling it again changes nothing."""
    if not any(isinstance(finder, _PreparedFinder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _PreparedFinder({'mxnet': _for_mxnet, 'gluoncv': _for_gluoncv}))
