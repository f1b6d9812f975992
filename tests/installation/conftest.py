"""The project built and installed as users do it, in fresh virtual environments.

The packages that gluon_cbam needs are not installed again: an environment sees those of the Python that runs the tests
by a .pth file. No compiler is used, so that building takes seconds: the operators that scripts/setup.sh compiled are
taken for the wheel of the checkout.
"""

import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path
from typing import NamedTuple

import click
import pytest

from gluon_cbam.ops import build as operators

ROOT = Path(__file__).parent.parent.parent
_NOT_SOURCES = ('.git', '.venv', '.*_cache', '__pycache__', '*.so', '*.egg-info', 'build', 'dist', 'runs')
_WITHOUT_COMPILER = {'CXX': '/no/compiler'}


def run(*command, cwd=None, env=None):
    """Run a command that must succeed; returns what it printed."""
    words = [str(word) for word in command]
    environment = {**os.environ, 'PYTHONPATH': '', 'PIP_DISABLE_PIP_VERSION_CHECK': '1', **(env or {})}
    done = subprocess.run(words, capture_output=True, text=True, cwd=cwd, env=environment, timeout=600, check=False)
    assert done.returncode == 0, f'{" ".join(words)}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}'
    return done.stdout


class Environment(NamedTuple):
    """A virtual environment.

    Attributes:
        path: of its folder.
        elsewhere: an empty folder, to run things in.
    """

    path: Path
    elsewhere: Path

    @property
    def site_packages(self):
        """Where packages are installed."""
        (found,) = self.path.glob('lib/python*/site-packages')
        return found

    def pip(self, *arguments, env=None):
        """Run pip for this environment."""
        run(sys.executable, '-m', 'pip', '--python', self.path / 'bin' / 'python', *arguments, env=env)

    def see_packages_of_the_tests(self):
        """Let the environment import what the Python of the tests has installed."""
        packages = Path(click.__file__).parent.parent
        distutils = packages / 'distutils-precedence.pth'  # of setuptools, whose distutils mxnet needs on Python 3.12
        hook = distutils.read_text() if distutils.is_file() else ''
        (self.site_packages / 'tests.pth').write_text(f'{packages}\n{hook}')

    def python(self, code, **env):
        """What a line of Python prints, far from the checkout."""
        return run(self.path / 'bin' / 'python', '-c', code, cwd=self.elsewhere, env=env)

    def cbam(self, *arguments, **env):
        """What the command prints, far from the checkout."""
        return run(self.path / 'bin' / 'cbam', *arguments, cwd=self.elsewhere, env=env)


@pytest.fixture(scope='module')
def make_environment(tmp_path_factory):
    """Makes an empty environment."""

    def make(name):
        folder = tmp_path_factory.mktemp(name.replace(' ', '-'))
        venv.create(folder / 'venv', symlinks=True)
        (folder / 'elsewhere').mkdir()
        return Environment(folder / 'venv', folder / 'elsewhere')

    return make


@pytest.fixture(scope='module')
def source(tmp_path_factory):
    """A copy of the checkout with its compiled operators, so that building leaves nothing in it."""
    folder = tmp_path_factory.mktemp('checkout') / 'gluon_cbam'
    shutil.copytree(ROOT, folder, symlinks=True, ignore=shutil.ignore_patterns(*_NOT_SOURCES))
    if operators.LIBRARY.is_file() and not operators.fault(operators.LIBRARY):
        shutil.copy(operators.LIBRARY, folder / operators.LIBRARY.relative_to(ROOT))
    return folder


class Built(NamedTuple):
    """The distributions.

    Attributes:
        sdist: the source distribution.
        wheel: of the checkout, with its compiled operators.
        wheel_of_sdist: of the source distribution, which a machine without a compiler makes without operators.
    """

    sdist: Path
    wheel: Path
    wheel_of_sdist: Path


@pytest.fixture(scope='module')
def built(source, make_environment, tmp_path_factory):
    """Builds by the project's own backend."""
    builder = make_environment('builder')
    builder.pip('install', '--quiet', 'build>=1.0', 'setuptools>=70.1')
    folder = tmp_path_factory.mktemp('dist')

    def build(source, what, where):
        command = ('-m', 'build', '--no-isolation', f'--{what}', '--outdir', folder / where, source)
        run(builder.path / 'bin' / 'python', *command, env=_WITHOUT_COMPILER)
        (made,) = (folder / where).iterdir()
        return made

    sdist, wheel = build(source, 'sdist', 'sdist'), build(source, 'wheel', 'wheel')
    shutil.unpack_archive(str(sdist), str(folder / 'unpacked'))
    (unpacked,) = (folder / 'unpacked').iterdir()
    return Built(sdist, wheel, build(unpacked, 'wheel', 'wheel_of_sdist'))


@pytest.fixture(scope='module', params=['wheel', 'wheel of sdist', 'sdist', 'editable'])
def installed(request, make_environment):
    """An environment in which gluon_cbam is installed, and how."""
    environment = make_environment(request.param)
    if request.param == 'editable':
        what = ['--editable', request.getfixturevalue('source')]
    else:
        what = [getattr(request.getfixturevalue('built'), request.param.replace(' ', '_'))]
    environment.pip('install', '--quiet', '--no-deps', *what, env=_WITHOUT_COMPILER)
    environment.see_packages_of_the_tests()
    return environment, request.param
