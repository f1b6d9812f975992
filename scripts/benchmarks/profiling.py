"""The time of a call by kinds of operators, from MXNet's profiler.

``python -m benchmarks.profiling CONTEXT`` profiles in a separate process: MXNet reports single operators only if its
bulk execution is disabled by environment variables.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from typing import Any, Callable, Dict, List, NamedTuple, Sequence

from gluon_cbam.benchmarks.context import BenchmarkContext
from gluon_cbam.benchmarks.process import environment_of
from gluon_cbam.common.errors import RunError

from . import IMPORTABLE

ONE_BY_ONE = {'MXNET_EXEC_BULK_EXEC_TRAIN': '0', 'MXNET_EXEC_BULK_EXEC_INFERENCE': '0'}
KINDS = {
    'convolutions': ('Convolution', '_cbam_convolution'),
    'BatchNorm': ('BatchNorm',),
    'activations': ('Activation', 'LeakyReLU', '_cbam_prelu', 'relu'),
    'attention and all else': (),
}
"""Kind -> its operators, each with its backward pass; the last kind has all other operators."""
_WARM_UP, _CALLS = 3, 5


def _contexts(network: str, mode: str, image_size: int, *engines: str) -> Sequence[BenchmarkContext]:
    """The contexts of a network: other engines, this package with MXNet's plain operators, and this package."""
    loop = 'benchmarks.bare_loops:train' if mode == 'train' else None  # a plain loop, as for the other engines
    context = BenchmarkContext(mode, network=network, image_size=image_size, environment=IMPORTABLE)
    others = [context.replace(engine=engine, label=engine) for engine in engines]
    ours = context.replace(label='ours', workload=loop)
    plain = ours.replace(environment={**IMPORTABLE, 'CBAM_KERNELS': 'plain'}, label='plain operators')
    return [*others, plain, ours]


PROFILES = {
    'CBAM-ResNet-50, inference, batch 8': _contexts('cbam_resnet50', 'predict', 224, 'gluoncv2'),
    'CBAM-ResNet-50, training step, batch 8': _contexts('cbam_resnet50', 'train', 224, 'gluoncv2'),
    'modified_cbamnet50, inference, batch 8, 112 x 112': _contexts('modified_cbamnet50', 'predict', 112),
    'modified_cbamnet50, training step, batch 8, 112 x 112': _contexts('modified_cbamnet50', 'train', 112),
}
"""Title -> the contexts to compare."""


class Profile(NamedTuple):
    """The profile of a call by operators.

    Attributes:
        milliseconds: operator -> total duration of its runs in one call.
        runs: operator -> number of its runs in one call.
    """

    milliseconds: Dict[str, float]
    runs: Dict[str, int]

    def by_kind(self) -> Dict[str, float]:
        """Milliseconds by :data:`KINDS`."""
        totals = dict.fromkeys(KINDS, 0.0)
        for operator, milliseconds in self.milliseconds.items():
            totals[_kind(operator)] += milliseconds
        return totals


def _kind(operator: str) -> str:
    forward = re.sub(r'^_backward_(cbam_)?', lambda match: f'_{match[1]}' if match[1] else '', operator)
    return next((kind for kind, operators in KINDS.items() if forward in operators), list(KINDS)[-1])


def profile(context: BenchmarkContext) -> Profile:
    """Profile in a separate process.

    Raises:
        RunError: the process failed; the message is its last line.
    """
    command = [sys.executable, '-W', 'ignore', '-m', 'benchmarks.profiling', json.dumps(context.as_dict())]
    environment = {**environment_of(context), **ONE_BY_ONE}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if done.returncode:
        raise RunError(f'{context.name}: {(done.stderr.strip().splitlines() or ["no message"])[-1]}')
    operators = json.loads(done.stdout.splitlines()[-1])
    return Profile(
        {name: found['Total'] / _CALLS for name, found in operators.items()},
        {name: found['Count'] // _CALLS for name, found in operators.items()},
    )


def profile_all(threads: int, log: Callable[[str], None]) -> List[Dict[str, Any]]:
    """Measure all :data:`PROFILES`, for the document.

    Args:
        threads: number of threads of each process.
        log: called with a line for each.

    Returns:
        For each, ``title`` and ``sides``; each side has ``name`` and milliseconds by ``kinds``.
    """
    found = []
    for title, contexts in PROFILES.items():
        sides = []
        for context in contexts:
            kinds = profile(context.replace(threads=threads)).by_kind()
            log(f'{title}: {context.name}: {sum(kinds.values()):.1f} ms')
            sides.append({'name': context.name, 'kinds': kinds})
        found.append({'title': title, 'sides': sides})
    return found


def _operators(context: BenchmarkContext) -> Dict[str, Dict[str, float]]:
    """The statistics of MXNet's profiler for the operators of some calls, by name."""
    import mxnet as mx

    from gluon_cbam.benchmarks.engines import build

    with build(context) as (workload, _), tempfile.TemporaryDirectory() as folder:
        for _ in range(_WARM_UP):
            workload.call()
            workload.wait()
        mx.profiler.set_config(
            profile_imperative=True,
            profile_symbolic=True,
            aggregate_stats=True,
            filename=os.path.join(folder, 'profile.json'),
        )
        mx.profiler.set_state('run')
        for _ in range(_CALLS):
            workload.call()
        workload.wait()
        mx.profiler.set_state('stop')
        return json.loads(mx.profiler.dumps(format='json'))['Time']['operator']


if __name__ == '__main__':
    print(json.dumps(_operators(BenchmarkContext(**json.loads(sys.argv[1])))))
