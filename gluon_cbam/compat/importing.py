"""Import hooks that execute mxnet, gluoncv and some of their modules inside context managers, which repair them."""

from __future__ import annotations

import sys
from contextlib import ExitStack, contextmanager
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import TYPE_CHECKING, Callable, ContextManager, Dict, Iterator, List, Optional, Sequence

if TYPE_CHECKING:
    from importlib.abc import Loader

Preparation = Callable[[ModuleType], ContextManager[None]]
"""Makes the context manager in which the code of a module is executed."""

# The context managers import what they need themselves, since most programs import mxnet late or never. The finders and
# loaders do not derive from the base classes of importlib.abc, whose import takes a tenth of the start-up of `cbam`.


@contextmanager
def _for_mxnet(module: ModuleType) -> Iterator[None]:
    from gluon_cbam.common.errors import DependencyError

    from . import cuda, threads, versions

    versions.require_supported()
    _forget_parts('mxnet')
    threads.set_default()
    cuda.preload()
    with threads.waiting_policy(), ExitStack() as stack:
        if 'sklearn' not in sys.modules:
            # mxnet.model imports scikit-learn, if installed, as the base of a deprecated class: 0.7 s at every start
            stack.enter_context(_hidden('sklearn'))
        try:
            yield
        except OSError as error:
            raise DependencyError(f"mxnet's library cannot be loaded: {error}{_remedy(str(error))}") from error


def _forget_parts(package: str) -> None:
    """Forget the modules that an import of the package left when it failed, so that they are executed and repaired."""
    for name in [name for name in sys.modules if name.startswith(f'{package}.')]:
        del sys.modules[name]


def _remedy(error: str) -> str:
    """How to install what mxnet's wheel takes from the system, if the dynamic loader did not find it; else nothing."""
    missing = error.startswith(('libgomp.so.1', 'libquadmath.so.0'))
    return ': apt-get install libgomp1 libquadmath0' if missing else ''


@contextmanager
def _for_gluoncv(module: ModuleType) -> Iterator[None]:
    """Hide torch 2: gluoncv 0.10.5 raises RuntimeError if it is installed; without torch, it uses mxnet alone."""
    from . import versions

    torch = versions.installed('torch')
    with ExitStack() as stack:
        if torch is not None and int(torch.split('.')[0]) >= 2:
            stack.enter_context(_hidden('torch'))
        yield


@contextmanager
def _hidden(package: str) -> Iterator[None]:
    """Let ``import package`` fail, as if it were not installed.

    ``sys.modules[package] = None`` has the same effect, but scipy reads ``sys.modules["torch"]`` and fails on None.
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
    """A finder that raises ModuleNotFoundError for one package."""

    def __init__(self, package: str) -> None:
        self._package = package

    def find_spec(
        self, name: str, path: Optional[Sequence[str]] = None, target: Optional[ModuleType] = None
    ) -> Optional[ModuleSpec]:
        if name.partition('.')[0] == self._package:
            raise ModuleNotFoundError(f'{self._package} is hidden during this import', name=name)
        return None


class _PreparedLoader:
    """Runs a module's own loader inside context managers, and restores it as the loader of the module."""

    def __init__(self, loader: Loader, preparations: List[Preparation]) -> None:
        self._loader = loader
        self._preparations = preparations

    def create_module(self, spec: ModuleSpec) -> Optional[ModuleType]:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        assert module.__spec__ is not None  # the import system sets it
        module.__spec__.loader = module.__loader__ = self._loader
        with ExitStack() as stack:
            for prepare in self._preparations:
                stack.enter_context(prepare(module))
            self._loader.exec_module(module)


class _PreparedFinder:
    """Finds mxnet, gluoncv and their modules by the other finders, and wraps the loaders of those to be prepared."""

    def find_spec(
        self, name: str, path: Optional[Sequence[str]] = None, target: Optional[ModuleType] = None
    ) -> Optional[ModuleSpec]:
        preparations = _preparations(name) if name.partition('.')[0] in _PACKAGES else []
        if not preparations:
            return None
        spec = self._found_by_others(name, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = _PreparedLoader(spec.loader, preparations)  # type: ignore[assignment]
        return spec

    def _found_by_others(
        self, name: str, path: Optional[Sequence[str]], target: Optional[ModuleType]
    ) -> Optional[ModuleSpec]:
        """Ask the other finders; importlib.util.find_spec() would wait for a parent that another thread imports."""
        others = (finder for finder in list(sys.meta_path) if finder is not self)
        specs = (finder.find_spec(name, path, target) for finder in others if hasattr(finder, 'find_spec'))
        return next((spec for spec in specs if spec is not None), None)


_PACKAGES: Dict[str, Preparation] = {'mxnet': _for_mxnet, 'gluoncv': _for_gluoncv}


def _preparations(name: str) -> List[Preparation]:
    """The context managers of a module of mxnet or gluoncv."""
    if name in _PACKAGES:
        return [_PACKAGES[name]]
    from .repairs import repairs_of

    return repairs_of(name)


def install() -> None:
    """Install the import hooks for mxnet and gluoncv. Calling it again changes nothing."""
    if not any(isinstance(finder, _PreparedFinder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _PreparedFinder())
