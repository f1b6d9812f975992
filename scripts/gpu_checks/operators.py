"""The modules of tests/ops/test_backend.py on the device, imperative and hybridized, against the CPU."""

import gluon_cbam  # noqa: F401 (prepares the import of mxnet)

# isort: split
import mxnet as mx
import pytest
from test_backend import MODULES, STATIC, outcome

from . import comparison
from .recorder import Recorder
from .setting import Setting

OUTPUTS, GRADIENTS = 1e-4, 1e-3
_QUICK = ('cbam', 'se', 'prelu')


def run(setting: Setting, record: Recorder) -> None:
    """Compare outputs, gradients and running statistics of every module."""
    device, modules = setting.devices()[0], _QUICK if setting.quick else tuple(MODULES)
    with pytest.MonkeyPatch.context() as patch:
        for name in modules:
            expected = outcome(MODULES[name], 'plain', None, patch)
            for way, hybrid in (('imperative', None), ('hybridized', STATIC)):
                with record.part(f'{name}, {way}'):
                    with mx.Context(device):
                        found = outcome(MODULES[name], 'auto', hybrid, patch)
                    outputs, others = comparison.distances(found, expected)
                    record.figure(f'{name}, {way}: outputs', outputs, OUTPUTS)
                    record.figure(f'{name}, {way}: gradients and statistics', others, GRADIENTS)
