"""A plugin of pytest: the device that CBAM_TEST_DEVICE names is MXNet's default in every test."""

import os
from typing import Iterator

import gluon_cbam  # noqa: F401 (prepares the import of mxnet)

# isort: split
import mxnet as mx
import pytest


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_protocol() -> Iterator[None]:
    """Set-up, test and tear-down with this device."""
    kind, _, number = os.environ['CBAM_TEST_DEVICE'].partition(':')
    with mx.Context(kind, int(number)):
        yield
