"""Two devices against one with the whole batch: every kvstore, and batch statistics over both."""

import gluon_cbam  # noqa: F401 (prepares the import of mxnet)

# isort: split
import mxnet as mx
from steps import Training, batch, difference

from .recorder import Recorder, Skipped
from .setting import Setting

_STORES = 'device', 'local', 'nccl'
_STEPS = 5
_LIMIT = 1e-4  # of parameters of about 0.2, after steps with momentum


def run(setting: Setting, record: Recorder) -> None:
    """Train a small network for a few steps on one and on two devices, and compare the parameters."""
    devices = setting.devices()[:2]
    if len(devices) < 2:
        raise Skipped('it needs two GPUs, and there is one')
    for store in _STORES:
        with record.part(f'kvstore {store}'):
            if store == 'nccl' and not mx.runtime.Features().is_enabled('NCCL'):
                raise Skipped('this mxnet has no NCCL')
            record.figure(f'kvstore {store}: parameters apart', _apart(devices, kv_store=store), _LIMIT)
    with record.part('sync-bn'):
        if setting.gpus is None:
            raise Skipped("MXNet's SyncBatchNorm hangs on several CPU contexts")
        record.figure('sync-bn: parameters and statistics apart', _apart(devices, norm=True, sync_bn=True), _LIMIT)
    with record.part('batch statistics of each device'):
        apart = _apart(devices, norm=True)
        record.require('without sync-bn, the devices differ from one', apart > _LIMIT, f'{apart:.3g} apart')


def _apart(devices: list, sync_bn: bool = False, kv_store: str = 'device', **options: bool) -> float:
    """The largest difference of the parameters; also between the two devices, which must have none."""
    one = Training(devices=devices[:1], **options)
    two = Training(devices=devices, sync_bn=sync_bn, kv_store=kv_store, **options)
    for number in range(_STEPS):
        one.step(batch(number))
        two.step(batch(number))
    trained = {
        name for name, parameter in two.net._collect_params_with_prefix().items() if parameter.grad_req != 'null'
    }
    first, second = ({name: two.values(device)[name] for name in trained} for device in range(2))
    if difference(first, second) != 0:
        raise ValueError(f'the devices hold different parameters, {difference(first, second):g} apart')
    return difference(one.values(), two.values())
