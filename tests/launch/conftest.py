"""Fixtures of the launcher's tests."""

import os
import signal

import pytest
from jobs import Job


@pytest.fixture
def job(tmp_path):
    """Starts jobs, and ends what a failed test left of them."""
    started = []

    def start(command, **told):
        started.append(Job(tmp_path, command=command, **told))
        return started[-1]

    yield start
    for one in started:
        one.process.kill()
        for pid in one.left():
            os.kill(pid, signal.SIGKILL)
