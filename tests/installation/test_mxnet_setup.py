"""``cbam setup`` with real pip and a folder of wheels as the index; no network is used."""

import base64
import configparser
import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import click
import pip
import pytest
from checks import assert_one_line

from gluon_cbam.common.errors import DataError, EnvironmentProblem, TransferError
from gluon_cbam.compat import platforms
from gluon_cbam.installation import builds, installers, plan, probe
from gluon_cbam.ops import build as operators

ROOT = Path(__file__).parent.parent.parent
X86 = sys.platform == 'linux' and platform.machine() == 'x86_64'
WORKS = '__version__ = "1.9.1"\nclass nd:\n    def ones(n):\n        return nd\n    def asnumpy(): pass\n'
BROKEN = 'raise OSError("libgomp.so.1: cannot open shared object file")'
# what the command does with the hashes of the wheels that a test made
WITH_HASHES = """
import json, os
from gluon_cbam.cli.main import cli
from gluon_cbam.installation.builds import BUILDS
for name, sha256 in json.loads(os.environ['HASHES']).items():
    wheels = [wheel._replace(sha256=sha256) for wheel in BUILDS[name].wheels]
    BUILDS[name] = BUILDS[name]._replace(wheels=wheels, libraries=())
cli()
"""


def make_wheel(folder, distribution, tag, files, version='1.9.1', requires=()):
    """Write a wheel; returns its SHA-256."""
    stem = f'{distribution.replace("-", "_")}-{version}'
    info = {
        f'{stem}.dist-info/METADATA': f'Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n'
        + ''.join(f'Requires-Dist: {requirement}\n' for requirement in requires),
        f'{stem}.dist-info/WHEEL': f'Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: {tag}\n',
    }
    path = folder / f'{stem}-{tag}.whl'
    with zipfile.ZipFile(path, 'w') as archive:
        record = ''
        for name, content in {**files, **info}.items():
            archive.writestr(name, content)
            digest = base64.urlsafe_b64encode(hashlib.sha256(content.encode()).digest()).decode().rstrip('=')
            record += f'{name},sha256={digest},{len(content)}\n'
        archive.writestr(f'{stem}.dist-info/RECORD', f'{record}{stem}.dist-info/RECORD,,\n')
    return hashlib.sha256(path.read_bytes()).hexdigest()


def make_mxnet(folder, build='cpu', code=WORKS):
    tag = f'py3-none-manylinux2014_{platform.machine()}'
    requires = ('numpy (<2.0.0,>1.16.0)', 'graphviz (<0.9.0,>=0.8.1)')
    return make_wheel(folder, builds.BUILDS[build].distribution, tag, {'mxnet/__init__.py': code}, requires=requires)


def make_stand_in(site_packages, name):
    """A package that is there to be found, in the version of numpy that mxnet's own requirements exclude."""
    (site_packages / name).mkdir()
    (site_packages / name / '__init__.py').write_text('')
    info = site_packages / f'{name}-2.5.5.dist-info'
    info.mkdir()
    (info / 'METADATA').write_text(f'Metadata-Version: 2.1\nName: {name}\nVersion: 2.5.5\n')


class Place:
    """An environment with gluon_cbam and pip, without mxnet, and the folder that is its index."""

    def __init__(self, environment, index):
        self.environment, self.index = environment, index

    def setup(self, *arguments, hashes=None, **variables):
        """Run the command; with hashes, those of the table are replaced."""
        run = ['-c', WITH_HASHES] if hashes else ['-m', 'gluon_cbam']
        env = {
            **os.environ, 'PYTHONPATH': '', 'CXX': '/no/compiler', 'HASHES': json.dumps(hashes),
            'PIP_CONFIG_FILE': os.devnull, 'PIP_NO_INDEX': '1', 'PIP_FIND_LINKS': str(self.index), **variables,
        }  # fmt: skip
        command = [str(self.environment.path / 'bin' / 'python'), *run, 'setup', *arguments]
        return subprocess.run(
            command, env=env, cwd=self.environment.elsewhere, capture_output=True, text=True, timeout=300, check=False
        )

    def files(self):
        """What is installed, and when it was written."""
        return {
            path: path.stat().st_mtime_ns
            for path in self.environment.site_packages.rglob('*')
            if '__pycache__' not in path.parts
        }

    def distributions(self):
        return {path.name for path in self.environment.site_packages.glob('mxnet*.dist-info')}


@pytest.fixture
def place(make_environment, tmp_path):
    if not X86:
        pytest.skip('there is no wheel of both builds for this system')
    environment = make_environment('setup')
    links = {'pip': Path(pip.__file__).parent, 'click': Path(click.__file__).parent}
    for name, folder in links.items():
        (environment.site_packages / name).symlink_to(folder)
    for name in ('numpy', 'requests', 'distutils'):
        make_stand_in(environment.site_packages, name)
    (environment.site_packages / 'here.pth').write_text(f'{ROOT}\n')
    (tmp_path / 'index').mkdir()
    return Place(environment, tmp_path / 'index')


def test_a_wheel_that_is_not_the_published_one(place):
    make_mxnet(place.index)
    before = place.files()
    process = place.setup('cpu', '--json')
    progress, line = process.stderr.splitlines()
    assert (process.returncode, process.stdout, progress) == (4, '', 'cbam setup: mxnet 1.9.1 (49 MB) ...')
    assert 'its SHA-256 differs (nothing was installed)' in line
    assert place.files() == before


@pytest.mark.slow
def test_settings_of_pip_that_install_elsewhere(place, tmp_path):
    hashes = {'cpu': make_mxnet(place.index)}
    settings = tmp_path / 'pip.conf'
    settings.write_text(f'[install]\ntarget = {tmp_path / "target"}\n')
    process = place.setup('cpu', hashes=hashes, PIP_CONFIG_FILE=str(settings))
    assert process.returncode == 3
    assert 'was installed, and not into this environment' in process.stderr
    process = place.setup('cpu', hashes=hashes, PIP_DRY_RUN='1', PIP_TARGET=str(tmp_path / 'other'))
    assert process.returncode == 0, process.stderr
    assert place.distributions() == {'mxnet-1.9.1.dist-info'}


@pytest.mark.slow
def test_from_nothing_to_the_other_build(place):
    hashes = {name: make_mxnet(place.index, name) for name in builds.BUILDS}
    shutil.rmtree(place.environment.site_packages / 'requests')
    shutil.rmtree(place.environment.site_packages / 'requests-2.5.5.dist-info')
    make_wheel(place.index, 'requests', 'py3-none-any', {'requests/__init__.py': ''}, '2.30')

    before = place.files()
    dry = place.setup('--dry-run', hashes=hashes)
    assert f'requirements.txt: mxnet==1.9.1 --hash=sha256:{hashes["cpu"]}\n' in dry.stdout
    assert 'install --no-deps --only-binary :all: --require-hashes --requirement ./requirements.txt' in dry.stdout
    assert place.files() == before

    process = place.setup('--json', hashes=hashes)
    assert process.returncode == 0, process.stderr
    report = json.loads(process.stdout)
    assert (report['build'], report['changed'], len(report['done'])) == ('cpu', True, 2)
    assert 'numpy 2.5.5' in report['verified']
    assert place.distributions() == {'mxnet-1.9.1.dist-info'}

    before = place.files()
    assert 'mxnet 1.9.1 is installed already, nothing was changed' in place.setup(hashes=hashes).stdout
    line = assert_one_line(place.setup('cu117', hashes=hashes), 3)
    assert line == (
        'cbam: mxnet 1.9.1 is installed and mxnet-cu117 1.9.1 is wanted; both contain the package mxnet: '
        'cbam setup cu117 --force replaces it'
    )
    refused = place.setup('cu117', '--force', hashes={**hashes, 'cu117': '0' * 64})
    assert refused.returncode == 4
    assert place.files() == before, 'mxnet goes only after the other one was verified'

    process = place.setup('cu117', '--force', '--no-verify', hashes=hashes)
    assert process.returncode == 0, process.stderr
    assert place.distributions() == {'mxnet_cu117-1.9.1.dist-info'}
    assert (place.environment.site_packages / 'mxnet' / '__init__.py').is_file()


@pytest.mark.slow
def test_an_mxnet_that_does_not_load(place):
    hashes = {'cpu': make_mxnet(place.index, code=BROKEN)}
    process = place.setup(hashes=hashes)
    assert process.returncode == 3
    assert 'mxnet 1.9.1 is installed and does not work' in process.stderr
    assert 'apt-get install libgomp1 libquadmath0' in process.stderr


@pytest.mark.slow
def test_no_network(place):
    offline = {'PIP_NO_INDEX': '', 'PIP_FIND_LINKS': '', 'PIP_RETRIES': '0', 'no_proxy': '*'}
    process = place.setup(PIP_INDEX_URL='http://127.0.0.1:9/simple', **offline)
    assert process.returncode == 5
    assert 'look at the network, the proxy and the index' in process.stderr


# what pip 26 and uv 0.13 print
@pytest.mark.parametrize(
    ('output', 'error', 'text'),
    [
        ('ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE. ...', DataError, 'SHA-256 differs'),
        ('error: Failed to download `m`\n  cause: Hash mismatch for `m==1`\n\nExpected:', DataError, 'SHA-256 differs'),
        ('ERROR: No matching distribution found for mxnet==1.9.1', TransferError, '(ERROR: No matching'),
        ('error: Request failed\n  cause: tcp connect error\n  cause: Refused', TransferError, '(cause: Refused)'),
        ('error: No solution found when resolving dependencies', TransferError, 'look at the network'),
        ('OSError: [Errno 28] No space left on device', TransferError, 'the disk is full'),
        ('error: externally-managed-environment\n\n× This ...', EnvironmentProblem, 'python3 -m venv'),
        ('error: The interpreter at `/usr` is externally managed', EnvironmentProblem, 'python3 -m venv'),
        ('ERROR: Could not install: [Errno 13] Permission denied: /x', EnvironmentProblem, 'may not be written'),
        ('something else', EnvironmentProblem, 'mxnet failed: something else'),
        ('', EnvironmentProblem, 'mxnet failed: exit code 1'),
    ],
)
def test_what_failures_mean(output, error, text):
    with pytest.raises(error) as caught:
        installers.run([sys.executable, '-c', f'import sys; print({output!r}); sys.exit(1)'], 'mxnet')
    assert text in str(caught.value)
    assert '\n' not in str(caught.value)


def test_uv_where_there_is_no_pip(monkeypatch, tmp_path):
    monkeypatch.setattr(installers.importlib.util, 'find_spec', lambda name: None)
    monkeypatch.setenv('PATH', str(tmp_path))
    with pytest.raises(EnvironmentProblem, match='no uv on the PATH: .* -m ensurepip'):
        installers.find_installer()
    (tmp_path / 'uv').write_text('#!/bin/sh\nexit 0\n')
    (tmp_path / 'uv').chmod(0o755)
    found = installers.find_installer()
    assert found.install == (str(tmp_path / 'uv'), 'pip', 'install', '--python', sys.executable)
    assert found.from_folder('/f') == ('--offline',)


@pytest.mark.parametrize(
    ('build', 'system', 'machine', 'text'),
    [
        (
            'cpu',
            'win32',
            'AMD64',
            'no wheel for Windows on AMD64, only for Linux on x86_64, Linux on aarch64, macOS on',
        ),
        ('cpu', 'darwin', 'arm64', 'no wheel for macOS on arm64'),
        ('cpu', 'linux without glibc', 'x86_64', 'no wheel for linux without glibc on x86_64'),
        ('cu117', 'linux', 'aarch64', 'mxnet-cu117 1.9.1 has no wheel for Linux on aarch64, only for Linux on x86_64;'),
    ],
)
def test_systems_without_a_wheel(build, system, machine, text):
    with pytest.raises(EnvironmentProblem) as caught:
        builds.wheel_for(builds.BUILDS[build], system, machine)
    assert text in str(caught.value)
    assert '--exported' in str(caught.value)


def test_nothing_is_tried_without_a_wheel(monkeypatch, cbam_here):
    monkeypatch.setattr(plan.versions, 'mxnet_distributions', list)
    monkeypatch.setattr(plan, 'this_system', lambda: ('win32', 'AMD64'))
    monkeypatch.setattr(installers, 'run', None)
    assert 'no wheel for Windows' in assert_one_line(cbam_here('setup'), 3)


def test_both_builds_are_seen(monkeypatch):
    monkeypatch.setattr(plan.versions, 'mxnet_distributions', lambda: ['mxnet', 'mxnet-cu117'])
    monkeypatch.setattr(plan.versions, 'installed', lambda name: '1.9.1')
    with pytest.raises(EnvironmentProblem, match='mxnet 1.9.1 and mxnet-cu117 1.9.1 is installed'):
        plan.make_plan(builds.BUILDS['cpu'], '.')
    if X86:
        steps = plan.make_plan(builds.BUILDS['cpu'], '.', force=True).steps
        assert steps[1].command[-2:] == ('mxnet', 'mxnet-cu117')


def test_the_extras_name_the_same_packages():
    config = configparser.ConfigParser()
    config.read(ROOT / 'setup.cfg')
    for build in builds.BUILDS.values():
        first, opencv, *libraries = config['options.extras_require'][build.name].split('\n')[1:]
        assert first == f'{build.distribution}=={platforms.VERSION}; python_version < "3.13"'
        assert opencv == 'opencv-python<4.12; python_version < "3.13"', 'mxnet takes numpy<2 only'
        assert tuple(libraries) == build.libraries


def test_code_runs_with_the_package_of_this_process(tmp_path, monkeypatch):
    """A clone in the current directory is not what is installed."""
    (tmp_path / 'gluon_cbam').mkdir()
    (tmp_path / 'gluon_cbam' / '__init__.py').write_text('raise SystemExit("the clone")')
    monkeypatch.chdir(tmp_path)
    found = probe.probe('gluon_cbam.ops.build', 'print(gluon_cbam.ops.build.LIBRARY)')
    assert found == (True, str(operators.LIBRARY), '')
