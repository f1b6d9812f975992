"""--gpus and --cpus."""

import mxnet as mx
import pytest

from gluon_cbam.common.errors import EnvironmentProblem, UsageError
from gluon_cbam.compat import cuda, devices


@pytest.mark.parametrize(
    ('text', 'numbers'), [('0', [0]), ('0-7', list(range(8))), ('0,2-3', [0, 2, 3]), ('3,1', [3, 1]), ('all', None)]
)
def test_gpus(text, numbers):
    assert devices.parse_gpus(text) == numbers


@pytest.mark.parametrize('text', ['', 'a', '0-', '-1', '3-1', '0,,1', '1,0-2', '0;1', 'ALL'])
def test_bad_gpus(text):
    with pytest.raises(UsageError, match='--gpus'):
        devices.parse_gpus(text)


def test_contexts():
    assert devices.contexts() == [mx.cpu(0)]
    assert devices.contexts(cpus=3) == [mx.cpu(0), mx.cpu(1), mx.cpu(2)]
    with pytest.raises(UsageError, match='at least 1, got 0'):
        devices.contexts(cpus=0)
    with pytest.raises(EnvironmentProblem, match='built for the CPU'):
        devices.contexts(gpus='0')


class GpuBuild:
    """Stands in for mxnet's list of features on a GPU build."""

    @staticmethod
    def is_enabled(name):
        return True


@pytest.fixture
def gpus(monkeypatch):
    """Pretends a GPU build that sees an A100 and an H100."""
    monkeypatch.setattr(mx.runtime, 'Features', GpuBuild)
    monkeypatch.setattr(mx.context, 'num_gpus', lambda: 2)
    monkeypatch.setattr(devices.versions, 'mxnet_is_gpu_build', lambda: True)
    monkeypatch.setattr(devices.cuda, 'compute_capabilities', lambda: [(8, 0), (9, 0)])


def test_gpus_that_do_not_exist_or_are_too_new(gpus):
    assert devices.contexts(gpus='0') == [mx.gpu(0)]
    with pytest.raises(EnvironmentProblem, match='GPU 5 is not there: mxnet sees 2 GPUs'):
        devices.contexts(gpus='0,5')
    with pytest.raises(EnvironmentProblem, match=r'GPU 1 is of compute capability 9.0.*5.0 to 8.9'):
        devices.contexts(gpus='all')


def test_generations():
    assert [cuda.has_code_for(c) for c in ((3, 7), (5, 2), (7, 5), (8, 9), (9, 0), (10, 0))] == [
        False, True, True, True, False, False,
    ]  # fmt: skip
