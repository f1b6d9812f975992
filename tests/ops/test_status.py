"""The status of the compiled operators, and its line in ``cbam doctor``."""

import _ctypes
import os
import shutil
from pathlib import Path
from types import SimpleNamespace

import checks
import cv2
import numpy as np
import pytest

from gluon_cbam.cli import diagnostics
from gluon_cbam.common.errors import DependencyError
from gluon_cbam.ops import build, library, status


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
    assert status.operators_status() == status.Status(False, f'left out by CBAM_KERNELS={choice}')
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


# loads each file in turn; what is left is the operators of MXNet
_LOAD = """
import os, pathlib, sys
import gluon_cbam
from gluon_cbam.ops import build, library, status
for path in os.environ['FILES'].split(os.pathsep):
    status.LIBRARY = library.LIBRARY = pathlib.Path(path)
    print(library._load.__wrapped__(), file=sys.stderr)
"""


def _damaged_files():
    """The compiled operators, damaged in the ways of disks and copies; loading most of them ends the process."""
    whole = build.LIBRARY.read_bytes()
    yield 'cut', whole[: len(whole) // 2]
    yield 'cut by a byte', whole[:-1]
    yield 'empty', b''
    yield 'zeroed in its middle', whole[:4096] + bytes(len(whole) - 8192) + whole[-4096:]
    yield 'a bit changed', whole[:70_000] + bytes([whole[70_000] ^ 1]) + whole[70_001:]
    yield 'another library', Path(_ctypes.__file__).read_bytes()
    yield 'not a library', b'\x7fELF and nothing else'


def test_a_damaged_file_is_not_loaded(operators, tmp_path, python):
    """In a process of its own: it would end by SIGBUS or SIGSEGV."""
    paths = []
    for name, content in _damaged_files():
        paths.append(tmp_path / f'{name}.so')
        paths[-1].write_bytes(content)
    process = python(_LOAD, env={'FILES': os.pathsep.join(map(str, paths))})
    assert process.returncode == 0, process.stderr
    lines = process.stderr.splitlines()
    assert lines[1::2] == ['None'] * len(paths)
    for path, line in zip(paths, lines[::2]):
        assert line.startswith(f'{path} is damaged'), line
        assert line.endswith(f': the operators of MXNet are used; {status.REPAIR}')


def test_the_doctor_says_damaged(compiled):
    if 'not for this one' in status.operators_status().detail:
        pytest.skip(status.operators_status().detail)
    check = diagnostics._kernels()
    assert (check.ok, check.remedy) == (False, status.REPAIR)
    assert check.detail.startswith(f'{compiled} is damaged')


def test_changed_sources_are_noticed(operators, monkeypatch, tmp_path):
    """An installation without sources, or with the same ones in another folder, is as it was."""
    sources = tmp_path / 'native'
    shutil.copytree(build.SOURCES, sources)
    monkeypatch.setattr(build, 'SOURCES', sources)
    assert build.fault(build.LIBRARY) == ''
    header = sources / 'arrays.h'
    text = header.read_text()
    header.write_text(text + '// a change\n')
    check = diagnostics._kernels()
    assert not check.ok
    assert check.detail == f'{build.LIBRARY} is stale: the sources in {sources} have changed since it was compiled'
    header.write_text(text)
    monkeypatch.setattr(build, '_FLAGS', f'{build._FLAGS} -g')
    assert build.fault(build.LIBRARY).startswith('stale')
    shutil.rmtree(sources)
    assert build.fault(build.LIBRARY) == ''


def test_a_file_that_the_loader_refuses(operators, monkeypatch, tmp_path, caplog):
    """For instance one that needs a newer libstdc++: its checksums are right."""
    file = tmp_path / 'library.so'
    file.write_bytes(b'not a library')
    build._add_trailer(file)
    monkeypatch.setattr(status, 'LIBRARY', file)
    monkeypatch.setattr(library, 'LIBRARY', file)
    assert library._load.__wrapped__() is None
    (record,) = caplog.records
    assert record.getMessage().startswith('the compiled operators cannot be loaded')
    file.write_bytes(Path(_ctypes.__file__).read_bytes())
    build._add_trailer(file)
    with pytest.raises(DependencyError, match='holds no operators: .* compiles it again'):
        library.open_library()


def test_the_doctor_names_the_instructions(operators, monkeypatch):
    """What is used, what the processor has, and whether it was forced."""
    monkeypatch.delenv(status.LIMIT, raising=False)
    best = diagnostics._kernels().detail.split()[1].strip(',')
    expected = f'compiled, {best}, the best that this processor has'
    assert diagnostics._kernels() == diagnostics.Check('kernels', True, expected)
    monkeypatch.setenv(status.LIMIT, 'baseline')
    expected = f'compiled, baseline, forced by CBAM_INSTRUCTIONS; this processor has {best}'
    assert diagnostics._kernels() == diagnostics.Check('kernels', True, expected)


def test_instructions_that_the_processor_lacks_are_one_line(operators, cbam, monkeypatch, tmp_path):
    best = operators.instructions
    if best == status.INSTRUCTIONS[-1]:
        pytest.skip(f'this processor has {best}, the last of them')
    message = f'CBAM_INSTRUCTIONS=avx512 in the environment: this processor has {best} at most; name that, or leave'
    image = tmp_path / 'image.png'
    assert cv2.imwrite(str(image), np.zeros((28, 28, 3), 'uint8'))
    process = cbam('predict', image, '--network', 'cbamnet_tiny', '--pretrained', env={status.LIMIT: 'avx512'})
    assert message in checks.assert_one_line(process, 3)
    monkeypatch.setenv(status.LIMIT, 'avx512')
    check = diagnostics._kernels()
    assert (check.ok, check.remedy) == (False, 'unset CBAM_INSTRUCTIONS')
    assert check.detail.startswith(message)


def test_another_processor_has_mxnets_operators(monkeypatch):
    monkeypatch.setattr(status.platform, 'machine', lambda: 'aarch64')
    expected = "baseline: MXNet's operators; the compiled ones are for x86_64, this is aarch64"
    assert diagnostics._kernels() == diagnostics.Check('kernels', True, expected)


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
