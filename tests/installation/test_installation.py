"""One import name is installed, with all that it needs: editable, and from a wheel, the sdist and the sdist's wheel."""

import json
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
LARGE = 'cifar_cbam_resnet18.digits'  # weights that a wheel does not have
MEGABYTE = 2**20

pytestmark = pytest.mark.slow


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
        assert wheel.stat().st_size < 2 * MEGABYTE
        with zipfile.ZipFile(wheel) as archive:
            contents.append(
                {info.filename: info.CRC for info in archive.infolist() if '.dist-info/' not in info.filename}
            )
            assert max(info.file_size for info in archive.infolist() if info.filename.endswith('.params')) < MEGABYTE
    assert contents[0] == contents[1]
    assert {name.partition('/')[0] for name in contents[0]} == {'gluon_cbam'}


def test_the_sdist_holds_what_a_build_needs_and_nothing_else(built):
    with tarfile.open(built.sdist) as archive:
        members = [member for member in archive.getmembers() if not member.isdir()]
    assert all(member.isfile() for member in members), 'the link to zoo/ became a folder'
    names = {member.name.partition('/')[2] for member in members}
    own = {'scripts/packaging/build_backend.py', 'setup.py', 'setup.cfg', 'pyproject.toml', 'MANIFEST.in', 'LICENSE'}
    assert own <= names
    native = {f'gluon_cbam/ops/native/{path.name}' for path in (ROOT / 'gluon_cbam' / 'ops' / 'native').iterdir()}
    assert native <= names
    others = {name for name in names - own if not name.startswith(('gluon_cbam/', 'gluon_cbam.egg-info/'))}
    assert others == {'PKG-INFO', 'README.md'}
    assert built.sdist.stat().st_size < MEGABYTE


@pytest.mark.parametrize(('compiler', 'wanted'), [(sys.executable, ['mxnet==1.9.1']), ('/no/compiler', [])])
def test_mxnet_is_for_compiling_only(monkeypatch, compiler, wanted):
    """Without a compiler, a build must not download mxnet for its headers."""
    monkeypatch.syspath_prepend(str(ROOT / 'scripts' / 'packaging'))
    import build_backend

    monkeypatch.setenv('CXX', compiler)
    assert build_backend._operator_requirements() == wanted
