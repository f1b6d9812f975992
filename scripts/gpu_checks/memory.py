"""Memory: what training takes, whether it grows with the steps, and how a run ends that has too little."""

import resource
import subprocess
from pathlib import Path
from typing import Any, Callable, List

import gluon_cbam  # noqa: F401 (prepares the import of mxnet)

# isort: split
import mxnet as mx
from kills import CBAM

from gluon_cbam.benchmarks import cbam_workloads
from gluon_cbam.benchmarks.context import BenchmarkContext
from gluon_cbam.common import memory
from gluon_cbam.tasks import get_task

from .recorder import Recorder
from .setting import Setting

_WARM_UP = 20  # steps in which MXNet's pool of memory still grows
_GROWTH = 32.0  # MB
_LEFT = 1e9  # bytes of a GPU that are left for a run that needs several times as many
_CPU_LEFT = 3 * 10**9  # bytes of address space of the same run on the CPU, of which its libraries take half


def run(setting: Setting, record: Recorder) -> None:
    """Measure a training, then end another one by taking the memory away."""
    device = setting.devices()[0]
    with record.part('growth'):
        _growth(setting, record, device)
    with record.part('too little memory'):
        _too_little(setting, record, device)


def _growth(setting: Setting, record: Recorder, device: mx.Context) -> None:
    network, batch, size = ('cbamnet_tiny', 8, 16) if setting.gpus is None else ('cbam_resnet50', 16, 224)
    steps = 40 if setting.quick else 200
    context = BenchmarkContext('train', network=network, batch=batch, image_size=size, classes=10, **setting.training())
    used = _meter(device)
    with cbam_workloads.train(context) as workload:
        _repeat(workload, _WARM_UP)
        before = used()
        _repeat(workload, steps)
        after = used()
    record.figure(f'training of {network} with {batch} images of {size} x {size}', after / 1e6, unit='MB')
    record.figure(f'growth over {steps} steps', (after - before) / 1e6, _GROWTH, 'MB')


def _repeat(workload: Any, steps: int) -> None:
    for _ in range(steps):
        workload.call()
        workload.wait()


def _meter(device: mx.Context) -> Callable[[], int]:
    """A function that gives the bytes in use on a GPU by all processes, or by this process on a CPU."""
    if device.device_type == 'cpu':
        return memory.resident
    return lambda: _total(device) - _free(device)


def _free(device: mx.Context) -> int:
    return mx.context.gpu_memory_info(device.device_id)[0]


def _total(device: mx.Context) -> int:
    return mx.context.gpu_memory_info(device.device_id)[1]


def _too_little(setting: Setting, record: Recorder, device: mx.Context) -> None:
    """A run of ``cbam train`` ends with exit code 1 and one line, and leaves no checkpoint."""
    data, output = setting.path / 'example.rec', setting.path / 'run'
    get_task().write_example(data, 64, 10)
    devices = [text for name, value in setting.training().items() for text in (f'--{name}', str(value))]
    command = [
        CBAM, 'train', '--network', 'cbam_resnet50', '--image-size', '224', '--batch-size', '64', '--epochs', '1',
        '--classes', '10', '--data-train', str(data), '--output', str(output), *devices,
    ]  # fmt: skip
    taken = _take(device) if device.device_type == 'gpu' else None
    done = _limited(command, taken is None)
    del taken
    lines = done.stderr.strip().splitlines()
    last = lines[-1] if lines else 'nothing'
    record.require('exit code 1', done.returncode == 1, f'exit code {done.returncode}')
    one_line = 'Traceback' not in done.stderr and last.startswith('cbam: ')
    record.require('one line that says why', one_line and 'memory' in last.lower(), last[:300])
    left = _checkpoints(output)
    record.require('no checkpoint', not left, ', '.join(left) or 'none')


def _take(device: mx.Context) -> mx.nd.NDArray:
    """An array that leaves little memory of a GPU."""
    taken = mx.nd.zeros((max(int(_free(device) - _LEFT) // 4096, 1), 1024), ctx=device)
    taken.wait_to_read()
    return taken


def _limited(command: List[str], limit: bool) -> 'subprocess.CompletedProcess[str]':
    def set_limit() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (_CPU_LEFT, _CPU_LEFT))

    return subprocess.run(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False,
        preexec_fn=set_limit if limit else None,
    )  # fmt: skip


def _checkpoints(output: Path) -> List[str]:
    return sorted(path.name for path in (output / 'checkpoints').glob('*'))
