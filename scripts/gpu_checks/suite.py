"""Tests of the suite with a device as MXNet's default: references, numpy and finite differences, but on the GPU."""

import os
import re
import subprocess
import sys
from pathlib import Path

from .recorder import Recorder
from .setting import Setting

_ROOT = Path(__file__).resolve().parents[2]
_TESTS = (
    'tests/attention/test_attention.py',
    'tests/attention/test_bam.py',
    'tests/attention/test_se.py',
    'tests/models/test_gradients.py',
    'tests/models/test_resnet.py',
    'tests/models/test_cbamnet.py',
    'tests/models/test_modified_cbamnet.py',
    'tests/training/test_ema.py',
)
_QUICK = ('tests/attention/test_se.py', 'tests/attention/test_attention.py')


def run(setting: Setting, record: Recorder) -> None:
    """Run the tests in a process with :mod:`.default_device`, and count what passed."""
    device = setting.devices()[0]
    done = subprocess.run(
        [sys.executable, '-m', 'pytest', '-q', '-p', 'no:cacheprovider', '-p', 'gpu_checks.default_device',
         *(_QUICK if setting.quick else _TESTS)],
        cwd=_ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
        env={**os.environ, 'CBAM_TEST_DEVICE': f'{device.device_type}:{device.device_id}'},
    )  # fmt: skip
    last = (done.stdout.strip().splitlines() or ['no output'])[-1]
    record.require('tests pass', done.returncode == 0 and _count('passed', last) > 0, last)
    for name in ('passed', 'failed', 'skipped', 'error'):
        record.figure(name, _count(name, last))
    if done.returncode:
        print(done.stdout, file=sys.stderr)


def _count(what: str, line: str) -> int:
    found = re.search(rf'(\d+) {what}', line)
    return int(found.group(1)) if found else 0
