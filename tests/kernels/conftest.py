"""What tests of the compiled operators share."""

import pytest

from gluon_cbam.kernels import library, status


@pytest.fixture(scope='session')
def operators():
    """The compiled operators, of arrays and of symbols; without them, the test is skipped."""
    found = status.look()
    if not found.ok:
        pytest.skip(f'compiled operators: {found.detail}')
    return library.load()
