"""Fixtures that several rooms share."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import gluon_cbam  # noqa: F401 (prepares the import of mxnet)

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope='session')
def cbam():
    """Runs the real command in a process of its own: cbam('validate', '--network', ...) -> CompletedProcess."""
    command = [str(Path(sys.executable).parent / 'cbam')]

    def run(*arguments, env=None, cwd=None):
        environment = {**os.environ, **(env or {})}
        return subprocess.run(
            command + [str(argument) for argument in arguments],
            capture_output=True, text=True, env=environment, cwd=cwd, timeout=300, check=False,
        )  # fmt: skip

    return run


@pytest.fixture
def cbam_here(capsys):
    """As ``cbam``, in this process, where mxnet is imported already."""
    from gluon_cbam.cli.main import cli

    def run(*arguments):
        with pytest.raises(SystemExit) as ended:
            cli.main([str(argument) for argument in arguments])
        return subprocess.CompletedProcess(arguments, ended.value.code, *capsys.readouterr())

    return run


@pytest.fixture(scope='session')
def python():
    """Runs code in a process of its own, with folders at the head of its module path -> CompletedProcess."""

    def run(code, *folders, env=None):
        path = os.pathsep.join([*(str(folder) for folder in folders), str(ROOT)])
        environment = {**os.environ, 'PYTHONPATH': path, **(env or {})}
        return subprocess.run(
            [sys.executable, '-c', code], capture_output=True, text=True, env=environment, timeout=300, check=False
        )

    return run


@pytest.fixture(scope='session')
def digits(tmp_path_factory):
    """The folder of the digits RecordIO files."""
    from gluon_cbam.data.datasets.digits import write_digits

    folder = tmp_path_factory.mktemp('digits')
    write_digits(folder)
    return folder


@pytest.fixture
def server():
    """A web server that misbehaves as told: see server.py."""
    from server import Server

    with Server() as running:
        yield running


@pytest.fixture(scope='session')
def digits_network():
    """The network on handwritten digits that comes with the package."""
    import mxnet as mx

    from gluon_cbam.inference.network import load_network

    return load_network('cbamnet_tiny', [mx.cpu()], pretrained=True)


@pytest.fixture(scope='session')
def exported_digits(digits_network, tmp_path_factory):
    """Its files: a folder of digits.onnx, pixels.onnx, and the symbols ``digits`` and ``pixels``."""
    from gluon_cbam.export.exporter import export_network
    from gluon_cbam.export.request import ExportRequest
    from gluon_cbam.export.samples import sample_images

    folder = tmp_path_factory.mktemp('exported')
    for name, pixels in (('digits', False), ('pixels', True)):
        request = ExportRequest(digits_network, pixels=pixels)
        export_network(request, 'onnx', folder / f'{name}.onnx', sample_images(16))
        export_network(request, 'symbol', folder / name, sample_images(16))
    return folder
