"""One import name is installed, with all that it needs: editable, and from a wheel, the sdist and the sdist's wheel."""

import json
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import mxnet
import pytest

from gluon_cbam.ops import build as operators

ROOT = Path(__file__).parent.parent.parent
LARGE = 'cifar_cbam_resnet18.digits'  # weights that a wheel does not have
MEGABYTE = 2**20

pytestmark = pytest.mark.slow
needs_operators = pytest.mark.skipif(not operators.LIBRARY.is_file(), reason='the operators are not compiled here')
# The operators need libmxnet.so and nothing else, which does not depend on Python either.
_LOAD = """
import ctypes, importlib.util, pathlib, sys
libmxnet, library, source = sys.argv[1:]
spec = importlib.util.spec_from_file_location('build', source)
build = importlib.util.module_from_spec(spec)
spec.loader.exec_module(build)
assert build.fault(pathlib.Path(library)) == ''
mxnet = ctypes.CDLL(libmxnet, mode=ctypes.RTLD_GLOBAL)
assert ctypes.CDLL(library).cbam_register(60_000)
handle = ctypes.c_void_p()
assert mxnet.NNGetOpHandle(b'_cbam_global_pool', ctypes.byref(handle)) == 0 and handle
print('%d.%d' % sys.version_info[:2], 'registered')
"""


def names_in(site_packages):
    """What can be imported of an environment's own packages, without pip's and the test's."""
    found = {
        path.name.partition('.')[0] for path in site_packages.iterdir() if path.suffix not in ('.dist-info', '.pth')
    }
    return {name for name in found if not name.startswith('_')}


def test_one_name_is_installed(installed):
    environment, how = installed
    assert names_in(environment.site_packages) == (set() if how == 'editable' else {'gluon_cbam'})
    code = "import importlib.metadata as m; print(m.distribution('gluon_cbam').read_text('top_level.txt'))"
    assert environment.python(code).split() == ['gluon_cbam']


@pytest.mark.parametrize('name', ['zoo', 'cli', 'scripts', 'build_backend'])
def test_other_names_stay_free(installed, name):
    code = f"""
try:
    import {name}
except ModuleNotFoundError:
    print('free')
else:
    print({name}.__file__)
"""
    assert installed[0].python('import gluon_cbam.zoo' + code).strip() == 'free'


def test_the_command(installed):
    environment, how = installed
    assert environment.cbam('--version').startswith('cbam, version ')
    weights = {card['tag']: card for card in json.loads(environment.cbam('zoo', 'list', '--json'))['weights']}
    assert len(weights) == len(list((ROOT / 'zoo' / 'cards').glob('*.yaml')))
    assert weights['cbamnet_tiny.digits']['cached']
    assert weights[LARGE]['cached'] == (how == 'editable'), 'a checkout has it, and works offline'


def test_weights_recipes_and_types_come_along(installed, tmp_path):
    environment, _ = installed
    code = """
from pathlib import Path
import gluon_cbam
from gluon_cbam.data.datasets.imagenet import imagenet_classes
net = gluon_cbam.get_model('cbamnet_tiny', pretrained=True)
package = Path(gluon_cbam.__file__).parent
print(len(imagenet_classes()), (package / 'py.typed').is_file(), len(list(package.rglob('recipes/*.yaml'))))
"""
    printed = environment.python(code, CBAM_ZOO_OFFLINE='1', CBAM_HOME=str(tmp_path))
    assert printed.split() == ['1000', 'True', str(len(list((ROOT / 'gluon_cbam').rglob('recipes/*.yaml'))))]


def test_other_weights_come_from_a_release(installed, server, tmp_path):
    environment, how = installed
    if how == 'editable':
        return  # the checkout has them
    body = (ROOT / 'zoo' / 'files' / f'{LARGE}.params').read_bytes()
    server.put(f'/{LARGE}.params', body)
    mirror = {'CBAM_ZOO_MIRROR': server.url, 'CBAM_HOME': str(tmp_path), 'no_proxy': '127.0.0.1'}
    got = json.loads(environment.cbam('zoo', 'get', LARGE, '--json', **mirror))
    assert (got['bytes'], got['cached']) == (len(body), False)
    code = "import gluon_cbam; print(gluon_cbam.get_model('cifar_cbam_resnet18', pretrained=True).name)"
    assert environment.python(code, CBAM_ZOO_OFFLINE='1', CBAM_HOME=str(tmp_path))
    assert len(server.requests) == 1


def test_the_wheels_are_small_and_equal(built):
    contents = []
    for wheel in (built.wheel, built.wheel_of_sdist):
        assert wheel.stat().st_size < 5 * MEGABYTE  # 2.5 of them weights
        with zipfile.ZipFile(wheel) as archive:
            contents.append({info.filename: info.CRC for info in archive.infolist() if is_of_the_package(info)})
            assert max(info.file_size for info in archive.infolist() if info.filename.endswith('.params')) < MEGABYTE
    contents[0].pop(f'gluon_cbam/ops/{operators.LIBRARY.name}', None)
    assert contents[0] == contents[1]
    assert {name.partition('/')[0] for name in contents[0]} == {'gluon_cbam'}


def is_of_the_package(info):
    return '.dist-info/' not in info.filename


def test_the_sdist_holds_everything_but_large_weights(built):
    with tarfile.open(built.sdist) as archive:
        members = [member for member in archive.getmembers() if not member.isdir()]
    assert all(member.isfile() for member in members), 'the link to zoo/ became a folder'
    names = {member.name.partition('/')[2] for member in members}
    generated = {'PKG-INFO'} | {name for name in names if name.startswith('gluon_cbam.egg-info/')}
    command = ['git', 'ls-files', '--cached', '--others', '--exclude-standard']
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    sources = {f'gluon_cbam/{name}' if name.startswith('zoo/') else name for name in listed} - {'gluon_cbam/zoo'}
    assert names - generated == {name for name in sources if f'files/{LARGE}' not in name}
    assert built.sdist.stat().st_size < 8 * MEGABYTE  # 2.5 of them weights that the wheel has


@needs_operators
def test_a_wheel_with_operators_is_for_any_python(built):
    assert built.wheel.name.endswith(f'-py3-none-{operators.platform_tag(operators.LIBRARY)}.whl')
    assert built.wheel_of_sdist.name.endswith('-py3-none-any.whl'), 'it has none'
    with zipfile.ZipFile(built.wheel) as wheel:
        assert wheel.read(f'gluon_cbam/ops/{operators.LIBRARY.name}') == operators.LIBRARY.read_bytes()


def test_the_page_of_an_index_is_whole(built):
    with zipfile.ZipFile(built.wheel) as wheel:
        (name,) = (name for name in wheel.namelist() if name.endswith('.dist-info/METADATA'))
        metadata = wheel.read(name).decode()
    old = 'Metadata-Version: 2.1\n' in metadata  # of setuptools before 77, with which no release is made
    assert old or 'License-Expression: Apache-2.0\n' in metadata
    assert '\n# gluon_cbam\n' in metadata
    assert '![' not in metadata, 'a picture that an index does not have'
    assert '](docs/' not in metadata, 'a document that an index does not have'


@needs_operators
def test_the_operators_run_without_a_compiler(installed, tmp_path):
    environment, how = installed
    if how == 'wheel':
        assert 'kernels  compiled' in environment.cbam('doctor', PATH=str(tmp_path), CXX='')
        code = 'from gluon_cbam.ops import library; library.load().nd.global_pool; print(library.LIBRARY)'
        assert environment.python(code).startswith(str(environment.site_packages))


@needs_operators
def test_another_python_loads_the_operators(built, tmp_path):
    python = another_python()
    if python is None:
        pytest.skip('no other supported Python is installed')
    with zipfile.ZipFile(built.wheel) as wheel:
        wheel.extractall(tmp_path)
    libmxnet = Path(mxnet.__file__).parent / 'libmxnet.so'
    library = tmp_path / 'gluon_cbam' / 'ops' / operators.LIBRARY.name
    command = [python, '-c', _LOAD, libmxnet, library, library.with_name('build.py')]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout.split()[1:] == ['registered'], done.stderr


def another_python():
    """A supported Python of another version than the one that runs the tests; None if there is none."""
    found = (shutil.which(f'python3.{minor}') for minor in (13, 8, 12, 11, 10, 9, 14))
    managed = Path(os.environ.get('PYENV_ROOT', Path.home() / '.pyenv'), 'versions')
    for candidate in (*found, *sorted(managed.glob('3.*/bin/python'))):
        code = 'import sys; print("%d.%d" % sys.version_info[:2])'
        done = candidate and subprocess.run([candidate, '-c', code], capture_output=True, text=True, check=False)
        if done and done.returncode == 0 and done.stdout.strip() != '{}.{}'.format(*sys.version_info[:2]):
            return candidate
    return None


@pytest.mark.parametrize(
    ('compiler', 'python', 'wanted'),
    [
        (sys.executable, (3, 12), ['mxnet==1.9.1']),
        (sys.executable, (3, 13), []),
        ('/no/compiler', (3, 12), []),
    ],
)
def test_mxnet_is_for_compiling_only(monkeypatch, compiler, python, wanted):
    """Without a compiler, a build must not download mxnet for its headers; on Python 3.13 it is not to be had."""
    monkeypatch.setattr(Path, 'is_file', lambda path: False)  # nothing is compiled yet
    monkeypatch.syspath_prepend(str(ROOT / 'scripts' / 'packaging'))
    import build_backend

    monkeypatch.setenv('CXX', compiler)
    monkeypatch.setattr(build_backend.sys, 'version_info', python)
    assert build_backend._operator_requirements() == wanted
