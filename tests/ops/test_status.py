"""The status of the compiled operators, and its line in ``cbam doctor``."""

from types import SimpleNamespace

import checks
import cv2
import numpy as np
import pytest

from gluon_cbam.cli import diagnostics
from gluon_cbam.common.errors import DependencyError
from gluon_cbam.ops import library, status


@pytest.fixture(autouse=True)
def automatic(monkeypatch):
    monkeypatch.delenv(status.VARIABLE, raising=False)


@pytest.fixture
def compiled(monkeypatch, tmp_path):
    """A damaged file in place of the library."""
    file = tmp_path / 'library.so'
    file.write_bytes(b'\x7fELF and nothing else')
    monkeypatch.setattr(status, 'LIBRARY', file)
    monkeypatch.setattr(library, 'LIBRARY', file)
    return file


def test_not_compiled(monkeypatch, tmp_path):
    monkeypatch.setattr(status, 'LIBRARY', tmp_path / 'none.so')
    check = diagnostics._kernels()
    assert check.ok
    assert check.detail.startswith('not compiled: attention runs on slower operators of MXNet')
    assert 'python -m gluon_cbam.ops.build (needs g++)' in check.detail


@pytest.mark.parametrize('choice', ['graph', 'plain'])
def test_disabled(choice, monkeypatch):
    monkeypatch.setenv(status.VARIABLE, choice)
    assert status.operators_status() == (False, f'left out by CBAM_KERNELS={choice}', '')
    assert diagnostics._kernels().detail == f'left out by CBAM_KERNELS={choice}'


@pytest.mark.parametrize(
    ('content', 'found'), [(status._NOTE + bytes(range(20)), bytes(range(20)).hex()), (b'stripped', 'unknown')]
)
def test_another_mxnet(content, found, monkeypatch, tmp_path, compiled):
    (tmp_path / 'libmxnet.so').write_bytes(b'\x7fELF' + content)
    spec = SimpleNamespace(origin=str(tmp_path / '__init__.py'))
    monkeypatch.setattr(status.importlib.util, 'find_spec', lambda name: spec)
    assert not status.operators_status().ok
    assert status.operators_status().detail == f'compiled for mxnet 1.9.1 for CPUs, not for this one (build {found})'
    (tmp_path / 'libmxnet.so').unlink()
    assert 'build unknown' in status.operators_status().detail


def test_damaged(compiled):
    if not status.operators_status().ok:
        pytest.skip(status.operators_status().detail)
    with pytest.raises(DependencyError, match='ops.build compiles it again') as caught:
        library._load.__wrapped__()  # what is loaded in this process stays
    assert '\n' not in str(caught.value)


def test_the_doctor_names_the_instructions(operators):
    check = diagnostics._kernels()
    assert check == diagnostics.Check('kernels', True, f'compiled, {operators.instructions}')


@pytest.mark.parametrize(
    ('variable', 'known'), [(status.VARIABLE, 'auto, graph, plain'), (status.LIMIT, 'baseline, avx2, avx512')]
)
def test_an_unknown_choice_is_one_line(variable, known, cbam_here, monkeypatch, tmp_path):
    monkeypatch.setenv(variable, 'nonsense')
    library._load.cache_clear()  # the prediction below loads again; the operators are added once nevertheless
    image = tmp_path / 'image.png'
    assert cv2.imwrite(str(image), np.zeros((28, 28, 3), 'uint8'))
    for command in (['doctor'], ['predict', image, '--network', 'cbamnet_tiny', '--pretrained']):
        message = checks.assert_one_line(cbam_here(*command), 2)
        assert f"{variable}='nonsense' in the environment: known: {known}" in message
