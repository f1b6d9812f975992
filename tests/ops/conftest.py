"""Fixtures for tests of the compiled operators."""

import mxnet as mx
import pytest

from gluon_cbam.ops import library, status


@pytest.fixture(scope='session')
def operators():
    """The compiled operators, of arrays and of symbols; without them, the test is skipped."""
    found = status.operators_status()
    if not found.ok:
        pytest.skip(f'compiled operators: {found.detail}')
    return library.load()


@pytest.fixture
def running(monkeypatch):
    """The graphs that were given to MXNet to run, as JSON."""
    monkeypatch.setenv(status.VARIABLE, 'auto')
    graphs, made = [], mx.nd.CachedOp

    def record(symbol, flags=()):
        graphs.append(symbol.tojson())
        return made(symbol, flags)

    monkeypatch.setattr(mx.nd, 'CachedOp', record)
    return graphs
