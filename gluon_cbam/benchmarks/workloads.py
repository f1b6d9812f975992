"""Which engine can do what, and where that is written."""

from __future__ import annotations

from contextlib import contextmanager
from importlib import import_module, metadata
from typing import Any, Dict, Iterator, Tuple

from gluon_cbam.common import memory
from gluon_cbam.common.errors import UsageError, closest

from .context import Spec
from .timing import Subject

# engine -> mode -> module:function. The function takes a Spec and is a context manager that gives a Subject; its module
# imports what the engine needs. 'gluon' is a bare loop on our networks.
SUBJECTS: Dict[str, Dict[str, str]] = {
    'gluon_cbam': {
        'predict': 'ours:predicting',
        'train': 'ours:training',
        'validate': 'ours:validating',
        'loader': 'loading:training_loader',
        'epoch': 'epoch:on_records',
    },
    'gluon': {'train': 'gluon:training_ours', 'epoch': 'gluon:epoch_in_memory'},
    'gluoncv2': {
        'predict': 'gluon:predicting_gluoncv2',
        'train': 'gluon:training_gluoncv2',
        'validate': 'gluon:validating_gluoncv2',
    },
    'torch': {'predict': 'of_torch:predicting', 'train': 'of_torch:training'},
    'torch channels_last': {'predict': 'of_torch:predicting', 'train': 'of_torch:training'},
    'cv2.imdecode': {'loader': 'loading:bare_decoding'},
}
_PACKAGES = ('mxnet', 'gluoncv2', 'torch', 'numpy', 'opencv-python')


def can(engine: str, mode: str) -> bool:
    """Whether an engine does something."""
    return mode in SUBJECTS[engine]


@contextmanager
def build(spec: Spec) -> Iterator[Tuple[Subject, Dict[str, Any]]]:
    """A subject, and facts of its process: ``versions``, and ``imported_bytes``, resident after the imports.

    Raises:
        UsageError: the engine is unknown or does not do that.
        CbamError: as of whatever is built.
    """
    modes = SUBJECTS.get(spec.engine)
    if modes is None:
        raise UsageError(f'unknown engine {spec.engine!r}: {closest(spec.engine, SUBJECTS)}')
    if spec.mode not in modes:
        raise UsageError(f'{spec.engine} cannot be measured at {spec.mode!r}: {closest(spec.mode, modes)}')
    module, _, function = modes[spec.mode].partition(':')
    make = getattr(import_module(f'.{module}', __package__), function)
    facts = {'versions': _versions(), 'imported_bytes': memory.resident()}
    memory.forget_peak()
    with make(spec) as subject:
        yield subject, facts


def _versions() -> Dict[str, str]:
    """Of the packages that were imported, by name."""
    import sys

    versions = {}
    for name in _PACKAGES:
        if {'opencv-python': 'cv2'}.get(name, name) in sys.modules:
            try:
                versions[name] = metadata.version(name)
            except metadata.PackageNotFoundError:  # the headless build of OpenCV
                versions[name] = 'unknown'
    return versions
