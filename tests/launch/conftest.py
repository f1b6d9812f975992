"""Fixtures of the launcher's tests."""

import pytest
from jobs import Job, end


@pytest.fixture
def job(tmp_path):
    """Starts jobs, and terminates the ones that a failed test left running."""
    started = []

    def start(command, **options):
        started.append(Job(tmp_path, command=command, **options))
        return started[-1]

    yield start
    end(started)
