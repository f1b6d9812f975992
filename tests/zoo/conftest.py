"""Fixtures of the zoo: an empty store, cards and the command."""

import time
from types import SimpleNamespace

import pytest

import gluon_cbam.zoo.download
from gluon_cbam.cli import main as cli
from gluon_cbam.zoo import Published


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """An empty store without environment variables; returns its folder."""
    for name in (
        'MXNET_HOME',
        'CBAM_ZOO_MIRROR',
        'CBAM_ZOO_REGISTRY',
        'CBAM_ZOO_OFFLINE',
        'CBAM_ZOO_TIMEOUT',
        'CBAM_ZOO_SPEED_LIMIT',
    ):
        monkeypatch.delenv(name, raising=False)
    for name in ('http_proxy', 'https_proxy', 'all_proxy', 'no_proxy'):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv('CBAM_HOME', str(tmp_path / 'home'))
    return tmp_path / 'home' / 'models'


@pytest.fixture
def pauses(monkeypatch):
    """The delays before further attempts, which are recorded and not waited for."""
    made = []
    monkeypatch.setattr(gluon_cbam.zoo.download, 'time', SimpleNamespace(sleep=made.append, monotonic=time.monotonic))
    return made


@pytest.fixture
def card():
    """Makes a card from an entry of a registry."""
    return lambda values: Published.from_dict(values, 'test')


@pytest.fixture
def run(capsys):
    """Runs ``cbam zoo`` in this process: run('get', 'x') -> (exit code, standard output, standard error)."""

    def run(*arguments):
        with pytest.raises(SystemExit) as ended:
            cli.cli.main(['zoo', *(str(argument) for argument in arguments)])
        return (ended.value.code, *capsys.readouterr())

    return run


@pytest.fixture
def files(home):
    """The files of the store under their names in it, without locks."""

    def files():
        found = (path for path in home.rglob('*') if path.is_file() and path.suffix != '.lock')
        return sorted(str(path.relative_to(home)) for path in found)

    return files
