"""Compiling the operators, and the messages where that is not possible."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import checks
import pytest

from gluon_cbam.ops import build

ROOT = Path(__file__).parent.parent.parent


@pytest.mark.parametrize(
    ('variables', 'message'),
    [
        ({'PATH': '/nowhere', 'CXX': ''}, "no C++ compiler '': install g++, or set CXX"),
        ({'PATH': '/nowhere'}, "no C++ compiler 'g++': install g++, or set CXX"),
        ({'CXX': 'no-such-compiler -O1'}, "no C++ compiler 'no-such-compiler -O1'"),
        ({'CXX': 'false'}, 'false failed: no message'),
        ({'CXX': f'{sys.executable} -c "raise SystemExit(\'a.cc: error: 1\\nmore\')"'}, 'failed: a.cc: error: 1'),
    ],
)
def test_errors_are_one_line(variables, message, tmp_path, monkeypatch):
    monkeypatch.delenv('CXX', raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(build.CannotBuild) as caught:
        build.build(tmp_path / 'library.so')
    assert message in str(caught.value)
    assert '\n' not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_other_machines_and_no_headers(monkeypatch, tmp_path):
    monkeypatch.setattr(build.importlib.util, 'find_spec', lambda name: None)
    with pytest.raises(build.CannotBuild, match='mxnet, whose headers are needed, is not installed'):
        build.build(tmp_path / 'library.so')
    monkeypatch.setattr(build.platform, 'machine', lambda: 'aarch64')
    with pytest.raises(build.CannotBuild, match='no wheel for linux on aarch64'):
        build.compiler()


def test_the_command_prints_the_error():
    command = [sys.executable, '-m', 'gluon_cbam.ops.build']
    environment = {**os.environ, 'PYTHONPATH': str(ROOT), 'CXX': 'false'}
    process = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert checks.assert_one_line(process, 1) == 'false failed: no message'


def test_installation_without_a_compiler(tmp_path):
    tree = tmp_path / 'tree'
    shutil.copytree(
        ROOT, tree, ignore=shutil.ignore_patterns('.git', '.venv', 'tests', 'docs', 'files', 'build', 'runs', '*.so')
    )
    command = [sys.executable, 'setup.py', '-q', 'build_ext', '--build-lib', str(tmp_path / 'built')]
    environment = {**os.environ, 'PYTHONPATH': str(tree), 'CXX': 'false'}
    process = subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True, check=False)
    assert process.returncode == 0, process.stderr
    assert 'gluon_cbam.ops is left out: false failed' in process.stdout + process.stderr
    assert not list(tmp_path.rglob('*.so'))


@pytest.mark.slow  # the compiler works for half a minute
def test_compiles_without_warnings(operators, tmp_path, python, monkeypatch):
    monkeypatch.setenv('CXX', f'{os.environ.get("CXX", "g++")} -Werror')
    target = build.build(tmp_path / 'deep' / 'library.so')
    assert list(target.parent.iterdir()) == [target]
    process = python(
        'from gluon_cbam.ops import build, library, status\n'
        'import pathlib\n'
        f'library.LIBRARY = status.LIBRARY = pathlib.Path({str(target)!r})\n'
        'import mxnet as mx\n'
        'print(library.load().nd.global_pool(mx.nd.ones((1, 2, 3, 3)))[0].asnumpy().tolist())'
    )
    assert process.stdout == '[[1.0, 1.0]]\n', process.stderr


@pytest.mark.parametrize('symbol', [b'GLIBC_2.32', b'GLIBCXX_3.4.26', b'CXXABI_1.3.12'])
def test_a_library_with_newer_symbols_is_for_this_system(symbol, tmp_path):
    library = tmp_path / 'library.so'
    for content, tag in ((b'GLIBC_2.9\0GLIBC_2.27\0', build.MANYLINUX), (symbol, 'linux_x86_64')):
        library.write_bytes(b'\0' + content + b'\0')
        assert build.platform_tag(library) == tag


def test_the_operators_need_no_newer_system_and_no_openmp_of_their_own(operators):
    """A second OpenMP beside mxnet's would start as many threads again."""
    assert build.platform_tag(build.LIBRARY) == build.MANYLINUX
    process = subprocess.run(['readelf', '-d', build.LIBRARY], capture_output=True, text=True, check=True)
    assert 'libstdc++' in process.stdout
    assert 'omp' not in process.stdout
