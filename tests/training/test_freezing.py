"""Frozen parameters stay as they are, bit for bit, and cost no gradient."""

import mxnet as mx
import numpy as np
import pytest
from steps import Small, Training, batch

from gluon_cbam import get_model
from gluon_cbam.common.errors import UsageError
from gluon_cbam.training import TrainConfig, train
from gluon_cbam.training.optim.learning_rates import set_learning_rates
from gluon_cbam.training.optim.weight_decay import set_weight_decay
from gluon_cbam.training.parameters.batch_norm import running_statistics
from gluon_cbam.training.parameters.freezing import freeze
from gluon_cbam.training.parameters.selection import named, select


@pytest.mark.parametrize(('pattern', 'names'), [
    ('conv1', ['conv1.weight']),
    ('fc.*', ['fc.weight', 'fc.bias']),
    ('layer1.0.bn?.gamma', ['layer1.0.bn1.gamma', 'layer1.0.bn2.gamma']),
    ('layer[12].*.conv1', [f'layer{stage}.{block}.conv1.weight' for stage in (1, 2) for block in (0, 1)]),
])  # fmt: skip
def test_patterns(pattern, names):
    assert select(get_model('cifar_resnet18', classes=10), pattern, '--freeze') == names


def test_an_unknown_pattern_is_an_error_with_a_hint():
    net = get_model('cifar_resnet18', classes=10)
    with pytest.raises(UsageError, match=r"--freeze 'leyer1' matches no parameter of ResNet: did you mean layer1"):
        freeze(net, ['leyer1'])
    with pytest.raises(UsageError, match=r"--wd-mult 'fc.biass' .*did you mean fc.bias"):
        set_weight_decay(net, False, {'fc.biass': 0})
    with pytest.raises(UsageError, match=r'--wd-mult fc must be a number of at least 0, got -1'):
        set_weight_decay(net, False, {'fc': -1})
    for value in (-1, True, float('nan'), float('inf'), 'x'):
        with pytest.raises(UsageError, match=r'--lr-mult fc must be a number of at least 0, got'):
            set_learning_rates(net, {'fc': value})
    with pytest.raises(UsageError, match=r'--freeze \* leaves nothing to train'):
        freeze(net, ['*'])


def test_decay_groups_of_a_network():
    net = get_model('cifar_cbam_resnet18', classes=10)
    groups = set_weight_decay(net, True, {'fc': 2, '*.attention': 0, '*.attention.channel': 0.5})
    assert set(groups) == {name for name, value in named(net).items() if value.grad_req != 'null'}
    for name, multiplier in groups.items():
        if name.startswith('fc.'):
            assert multiplier == 2
        elif '.attention.' in name:
            assert multiplier == (0.5 if '.channel.' in name else 0)
        else:
            assert multiplier == (1 if name.endswith('.weight') else 0), name
        assert named(net)[name].wd_mult == multiplier


@pytest.mark.parametrize('contexts', [1, 2])
def test_a_frozen_batchnorm_normalizes_by_its_running_statistics(contexts, monkeypatch):
    patterns = ['conv', 'bn']
    monkeypatch.setattr('steps.Small', lambda *args: frozen(Small(*args), patterns))
    training = Training(contexts, norm=True, optimizer='adamw', accumulate=2)
    for name in ('running_mean', 'running_var', 'gamma'):
        getattr(training.net.bn, name).set_data(mx.nd.arange(1, 6))
    before = training.values()
    x = batch(0).images.transpose((0, 3, 1, 2))
    with mx.autograd.record(train_mode=True):
        trained = training.net(x).asnumpy()
    assert np.allclose(trained, training.net(x).asnumpy(), atol=1e-5), 'it used the statistics of the batch'
    for number in range(3):
        training.step(batch(number), batch(number + 10))
    for device in range(contexts):
        after = training.values(device)
        assert {name for name in before if not np.array_equal(before[name], after[name])} == {'fc.weight', 'fc.bias'}
    assert set(training.gradients()) == {'fc.weight', 'fc.bias'}
    assert running_statistics(training.net) == []


def frozen(net, patterns):
    assert freeze(net, patterns) == [name for name in named(net) if name.startswith(tuple(patterns))]
    return net


def test_a_run_with_a_frozen_stage(few, tmp_path):
    train(TrainConfig(
        network='cbamnet_tiny', data_train=str(few(*range(10)) / 'train.rec'), classes=10, image_size=8, epochs=1,
        output=str(tmp_path / 'a'), freeze=['stages.0'], no_decay=True, cpus=2,
    ))  # fmt: skip
    mx.random.seed(0)
    fresh = get_model('cbamnet_tiny', classes=10)
    fresh.initialize()
    (path,) = (tmp_path / 'a' / 'checkpoints').glob('newest-*.params')
    for name, value in mx.nd.load(str(path)).items():
        same = np.array_equal(value.asnumpy(), fresh._collect_params_with_prefix()[name].data().asnumpy())
        assert same == name.startswith('stages.0.'), name
    log = (tmp_path / 'a' / 'train.log').read_text()
    assert 'frozen: 10 of 22 parameters' in log
    assert 'weight decay 0.0001 on 5 of 10 trained parameters' in log
