"""What scripts/setup.sh says where it finds no Python that it can use."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture
def set_up(tmp_path):
    """Runs the script in a folder without .venv; returns the last line on standard error."""
    (tmp_path / 'scripts').mkdir()
    shutil.copy(ROOT / 'scripts' / 'setup.sh', tmp_path / 'scripts')

    def run(python):
        process = subprocess.run(
            ['bash', '-c', 'source scripts/setup.sh'], env={**os.environ, 'PYTHON': str(python)}, cwd=tmp_path,
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert process.returncode == 3, process.stderr
        return process.stderr.splitlines()[-1]

    return run


def write_program(path, text):
    path.write_text(f'#!/bin/sh\n{text}\n')
    path.chmod(0o755)
    return path


def test_a_shim_that_does_not_run(set_up, tmp_path):
    shim = write_program(tmp_path / 'python3', 'echo "pyenv: python3: command not found" >&2; exit 127')
    line = set_up(shim)
    assert f'{shim} is {shim}, which does not run (pyenv: python3: command not found): ' in line
    assert 'PYTHON=' in line


def test_no_python_at_all(set_up):
    assert 'there is no /no/python: ' in set_up('/no/python')


def test_a_python_that_is_too_new(set_up, tmp_path):
    line = set_up(write_program(tmp_path / 'python3', 'echo 3.15'))
    assert 'is Python 3.15 and mxnet 1.9.1 runs on 3.8 to 3.14: ' in line
