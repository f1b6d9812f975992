"""Where the time of a call goes, by kinds of operators, as MXNet's profiler tells it.

``python -m gluon_cbam.benchmarks.profiling SPEC`` profiles in its own process, which has to be so: operators are only
seen one by one where MXNet, told by the environment, does not run many of them as one.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from typing import Any, Callable, Dict, List, NamedTuple, Sequence

from gluon_cbam.common.errors import RunError

from .context import Spec
from .process import environment_of

ONE_BY_ONE = {'MXNET_EXEC_BULK_EXEC_TRAIN': '0', 'MXNET_EXEC_BULK_EXEC_INFERENCE': '0'}
KINDS = {
    'convolutions': ('Convolution', '_cbam_convolution'),
    'BatchNorm': ('BatchNorm',),
    'activations': ('Activation', 'LeakyReLU', '_cbam_prelu', 'relu'),
    'attention and all else': (),
}
"""Kind -> its operators, each with its backward pass; the last has what no other has."""
_WARM_UP, _CALLS = 3, 5


def _sides(network: str, mode: str, image_size: int, *engines: str) -> Sequence[Spec]:
    """By those engines, written with MXNet's plain operators, and as it runs."""
    ours = 'gluon' if mode == 'train' else 'gluon_cbam'  # a bare loop, as that of the others
    spec = Spec(mode, ours, network, image_size=image_size, label='ours')
    others = [spec.but(engine=engine, label=engine) for engine in engines]
    return [*others, spec.but(environment={'CBAM_KERNELS': 'plain'}, label='plain operators'), spec]


PROFILES = {
    'CBAM-ResNet-50, inference, batch 8': _sides('cbam_resnet50', 'predict', 224, 'gluoncv2'),
    'CBAM-ResNet-50, training step, batch 8': _sides('cbam_resnet50', 'train', 224, 'gluoncv2'),
    'modified_cbamnet50, inference, batch 8, 112 x 112': _sides('modified_cbamnet50', 'predict', 112),
    'modified_cbamnet50, training step, batch 8, 112 x 112': _sides('modified_cbamnet50', 'train', 112),
}
"""Title -> the sides that are compared."""


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


def profile(spec: Spec) -> Profile:
    """Profile in a process of its own.

    Raises:
        RunError: the process failed; with its last line.
    """
    command = [sys.executable, '-W', 'ignore', '-m', __name__, json.dumps(spec.as_dict())]
    environment = {**environment_of(spec), **ONE_BY_ONE}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if done.returncode:
        raise RunError(f'{spec.name}: {(done.stderr.strip().splitlines() or ["no word"])[-1]}')
    operators = json.loads(done.stdout.splitlines()[-1])
    return Profile(
        {name: found['Total'] / _CALLS for name, found in operators.items()},
        {name: found['Count'] // _CALLS for name, found in operators.items()},
    )


def profile_all(threads: int, said: Callable[[str], None]) -> List[Dict[str, Any]]:
    """All of :data:`PROFILES` for the project's documents.

    Args:
        threads: of each process.
        said: called with a line about each.

    Returns:
        ``title`` and ``sides`` of each, these with ``name`` and milliseconds by ``kinds``.
    """
    found = []
    for title, specs in PROFILES.items():
        sides = []
        for spec in specs:
            kinds = profile(spec.but(threads=threads)).by_kind()
            said(f'{title}: {spec.name}: {sum(kinds.values()):.1f} ms')
            sides.append({'name': spec.name, 'kinds': kinds})
        found.append({'title': title, 'sides': sides})
    return found


def _operators(spec: Spec) -> Dict[str, Dict[str, float]]:
    """What MXNet's profiler says of the operators of some calls, by name."""
    import mxnet as mx

    from .workloads import build

    with build(spec) as (subject, _), tempfile.TemporaryDirectory() as folder:
        for _ in range(_WARM_UP):
            subject.call()
            subject.wait()
        mx.profiler.set_config(
            profile_imperative=True,
            profile_symbolic=True,
            aggregate_stats=True,
            filename=os.path.join(folder, 'profile.json'),
        )
        mx.profiler.set_state('run')
        for _ in range(_CALLS):
            subject.call()
        subject.wait()
        mx.profiler.set_state('stop')
        return json.loads(mx.profiler.dumps(format='json'))['Time']['operator']


if __name__ == '__main__':
    print(json.dumps(_operators(Spec(**json.loads(sys.argv[1])))))
