"""The time of a call by kinds of operators, from MXNet's profiler.

``python -m benchmarks.profiling CONTEXT`` profiles in a process of its own: MXNet shows operators one by one only where
its environment variables forbid it to run many of them as one.
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
"""Kind -> its operators, each with its backward pass; the last has what no other has."""
_WARM_UP, _CALLS = 3, 5


def _contexts(network: str, mode: str, image_size: int, *engines: str) -> Sequence[BenchmarkContext]:
    """A network by other engines, by ours with MXNet's plain operators, and by ours as it runs."""
    loop = 'benchmarks.bare_loops:train' if mode == 'train' else None  # a plain loop, like the others'
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
"""Title -> the contexts that are compared."""


class Profile(NamedTuple):
    """A call, operator by operator.

    Attributes:
        milliseconds: operator -> of all its runs in one call.
        runs: operator -> how many there are in one call.
    """

    milliseconds: Dict[str, float]
    runs: Dict[str, int]

    def by_kind(self) -> Dict[str, float]:
        """Milliseconds of each of :data:`KINDS`."""
        totals = dict.fromkeys(KINDS, 0.0)
        for operator, milliseconds in self.milliseconds.items():
            totals[_kind(operator)] += milliseconds
        return totals


def _kind(operator: str) -> str:
    forward = re.sub(r'^_backward_(cbam_)?', lambda match: f'_{match[1]}' if match[1] else '', operator)
    return next((kind for kind, operators in KINDS.items() if forward in operators), list(KINDS)[-1])


def profile(context: BenchmarkContext) -> Profile:
    """Profile in a process of its own.

    Raises:
        RunError: the process failed; with its last line.
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
    """All of :data:`PROFILES` for the project's documents.

    Args:
        threads: number of threads of each process.
        log: called with a line about each.

    Returns:
        ``title`` and ``sides`` of each, these with ``name`` and milliseconds by ``kinds``.
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
