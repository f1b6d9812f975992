"""AMP as far as it can be tested on a CPU: errors, loss scaling with float32 gradients, the types in a graph."""

import mxnet as mx
import numpy as np
import pytest
from steps import Training, batch, difference

from gluon_cbam.common.errors import EnvironmentProblem, RunError
from gluon_cbam.training import TrainConfig, train
from gluon_cbam.training.optim.amp import LossScaler

GOOD, BAD = [mx.nd.ones((3,)), mx.nd.zeros((2, 2))], [mx.nd.ones((3,)), mx.nd.array([1, np.inf])]


def test_refused_on_the_cpu_before_any_work(digits, tmp_path):
    config = TrainConfig(
        network='cbamnet_tiny', data_train=str(digits / 'train.rec'), output=str(tmp_path / 'run'), dtype='float16'
    )
    with pytest.raises(EnvironmentProblem, match='--dtype float16 needs GPUs'):
        train(config)
    assert not (tmp_path / 'run').exists()


@pytest.mark.parametrize('bad', [BAD, [mx.nd.array([np.nan])], [*[mx.nd.ones((1,))] * 300, mx.nd.array([-np.inf])]])
def test_the_scale_follows_the_overflows(bad):
    scaler = LossScaler(scale=8.0, growth_interval=3)
    assert [scaler.accept(GOOD) for _ in range(3)] == [True] * 3
    assert scaler.scale == 16
    assert not scaler.accept(bad)
    assert scaler.scale == 8
    assert [scaler.accept(GOOD) for _ in range(2)] == [True] * 2
    again = LossScaler(growth_interval=3)
    again.restore(scaler.arrays(), 0)
    for one in (scaler, again):
        assert one.accept(GOOD)
        assert one.scale == 16


def test_gradients_that_never_become_finite_end_the_run():
    scaler = LossScaler(scale=4.0)
    assert not scaler.accept(BAD)
    assert not scaler.accept(BAD)
    with pytest.raises(RunError, match='not finite even without loss scaling'):
        scaler.accept(BAD)


@pytest.mark.parametrize('more', [{}, {'clip_norm': 0.1}, {'accumulate': 2}, {'penalty': 0.1}])
@pytest.mark.parametrize('contexts', [1, 2])
def test_the_scale_changes_nothing(contexts, more):
    plain, scaled = Training(contexts, **more), Training(contexts, **more)
    scaled.optimization._scaler = LossScaler(scale=2.0**12)
    for number in range(3):
        for training in (plain, scaled):
            training.step(*[batch(number)] * training.config.accumulate)
    assert difference(plain.values(), scaled.values()) < 1e-6


def test_an_overflow_leaves_the_update_out():
    training = Training(ema=0.9, optimizer='adamw')
    training.optimization._scaler = LossScaler(scale=2.0**10)
    training.step(batch(0))
    before, average = training.values(), training.average.arrays()['fc.weight'].asnumpy()
    broken = batch(1)
    broken.images[0, 0, 0, 0] = np.inf
    assert not training.step(broken).updated
    assert difference(before, training.values()) == 0
    assert np.array_equal(training.average.arrays()['fc.weight'].asnumpy(), average)
    assert training.optimization.trainer.optimizer.num_update == 1
    assert training.step(batch(2)).updated
    assert training.optimization.loss_scale == 2.0**9


GRAPH = """
import gluon_cbam
import mxnet as mx
from gluon_cbam.training.optim import amp
from gluon_cbam.tasks.classification.loss import SmoothedCrossEntropy
amp.enable('float16')
net = gluon_cbam.get_model('cifar_cbam_resnet18', classes=10)
logits = net(mx.sym.Variable('data'))
out = SmoothedCrossEntropy(0.1)(logits, mx.sym.Variable('label'))
inner = logits.get_internals()
_, types, _ = inner.infer_type(data='float32')
found = dict(zip(inner.list_outputs(), types))
convolutions = [name for name in found if 'conv' in name and name.endswith('_fwd_output')]
assert len(convolutions) > 20
assert all(found[name].__name__ == 'float16' for name in convolutions), found
arguments = dict(zip(out.list_arguments(), out.infer_type(data='float32', label='float32')[0]))
assert all(kind.__name__ == 'float32' for kind in arguments.values()), arguments
assert out.infer_type(data='float32', label='float32')[1][0].__name__ == 'float32'
print('traced')
"""


def test_a_network_computes_in_float16_and_keeps_its_parameters(python):
    """Infers the types only, since MXNet has no float16 matrix product for the CPU."""
    process = python(GRAPH)
    assert process.stdout.strip() == 'traced', process.stderr[-2000:]
