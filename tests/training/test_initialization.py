"""Initialization of a run: from other weights, or with residual blocks that equal their shortcuts."""

import hashlib
import json

import mxnet as mx
import numpy as np
import pytest

from gluon_cbam import get_model, weights
from gluon_cbam.common.errors import DataError, UsageError
from gluon_cbam.training import TrainConfig, train
from gluon_cbam.training.parameters.initialization import initialize
from gluon_cbam.training.setup import prepare


@pytest.fixture(scope='module')
def digits_run(few, tmp_path_factory):
    """A run on ten digits, with preprocessing of its own."""
    output = tmp_path_factory.mktemp('source') / 'run'
    digits = few(*range(10))
    train(TrainConfig(
        network='cbamnet_tiny', data_train=str(digits / 'train.rec'), data_val=str(digits / 'val.rec'),
        output=str(output), classes=10, image_size=9, crop_ratio=0.9, epochs=1, option={'reduction': 4},
    ))  # fmt: skip
    card = output / 'checkpoints' / 'best.json'
    values = json.loads(card.read_text())
    values['preprocessing'].update(mean=[0.1, 0.2, 0.3], std=[0.5, 0.6, 0.7])
    card.write_text(json.dumps(values))
    return output


@pytest.fixture
def five(few):
    """The digits 0 to 4 alone."""
    return few(0, 1, 2, 3, 4) / 'train.rec'


def settings(five, tmp_path, **more):
    return TrainConfig(
        network='cbamnet_tiny', data_train=str(five), output=str(tmp_path / 'run'), classes=5, epochs=1, **more
    )


def test_fine_tuning_to_five_classes(digits_run, five, tmp_path, caplog):
    train(settings(five, tmp_path, pretrained=str(digits_run), lr=0.0, freeze=['stages.*.bn'], ema=0.9))
    best = digits_run / 'checkpoints' / 'best.params'
    before = mx.nd.load(str(best))
    (path,) = (tmp_path / 'run' / 'checkpoints').glob('newest-*.params')
    for name, value in mx.nd.load(str(path)).items():
        if name.startswith('fc.'):
            assert len(value) == 5
            assert f'{name} ({", ".join(map(str, value.shape))}' in caplog.text, 'not in the log'
        else:
            assert np.array_equal(value.asnumpy(), before[name].asnumpy()), name
    card = json.loads(path.with_suffix('.json').read_text())
    expected = {'image_size': 9, 'crop_ratio': 0.9, 'mean': [0.1, 0.2, 0.3], 'std': [0.5, 0.6, 0.7]}
    assert {name: card['preprocessing'][name] for name in expected} == expected
    digest = hashlib.sha256(best.read_bytes()).hexdigest()
    assert card['started_from'] == {'source': str(digits_run), 'sha256': digest}
    assert card['options'] == {'reduction': 4}
    assert digest in (tmp_path / 'run' / 'train.log').read_text()


def test_attention_that_is_added_to_a_plain_network(five, tmp_path):
    """The card says which network the weights are of, and the log how many parameters came from it."""
    plain, path = get_model('cifar_resnet18', classes=5, widen=0.125), tmp_path / 'plain.params'
    plain.initialize()
    card = {'classes': 5, 'options': {'widen': 0.125}}
    preprocessing = {'image_size': 8, 'crop_ratio': 1.0, 'mean': [0.5] * 3, 'std': [0.5] * 3}
    digest = weights.save(plain, path, network='cifar_resnet18', preprocessing=preprocessing, **card).sha256
    config = settings(five, tmp_path, pretrained=str(path), lr=0.0, option={'reduction': 4, 'gate': 'identity'})
    config.batch_size = 200
    config.network, config.augment, config.freeze = 'cifar_cbam_resnet18', 'none', ['*bn?']
    train(config)
    (newest,) = (tmp_path / 'run' / 'checkpoints').glob('newest-*.params')
    saved = mx.nd.load(str(newest))
    for name, value in plain._collect_params_with_prefix().items():
        if 'running' not in name:
            assert np.array_equal(saved[name].asnumpy(), value.data().asnumpy()), name
    card = json.loads(newest.with_suffix('.json').read_text())
    assert card['started_from'] == {'source': str(path), 'sha256': digest, 'network': 'cifar_resnet18'}
    assert card['options'] == {'widen': 0.125, 'reduction': 4, 'gate': 'identity'}
    log = (tmp_path / 'run' / 'train.log').read_text()
    assert f'107 parameters are from cifar_resnet18 ({path}), 72 of the attention start anew' in log


def test_arguments_override_the_card(digits_run, five, tmp_path):
    setup = prepare(settings(five, tmp_path, pretrained=str(digits_run), image_size=8, crop_ratio=1.0))
    assert (setup.preprocessing.image_size, setup.preprocessing.crop_ratio) == (8, 1.0)
    assert setup.preprocessing.mean == (0.1, 0.2, 0.3)


def test_weights_that_are_missing_or_of_another_network(digits_run, five, tmp_path):
    with pytest.raises(UsageError, match='nothing'):
        prepare(settings(five, tmp_path, pretrained='nothing'))
    config = settings(five, tmp_path, pretrained=str(digits_run))
    config.network = 'cbamnet_small'
    with pytest.raises(DataError, match='holds weights of cbamnet_tiny, not of cbamnet_small'):
        prepare(config)
    assert not (tmp_path / 'run').exists()


def test_residual_blocks_start_as_their_shortcuts(five, tmp_path):
    config = settings(five, tmp_path, zero_gamma=True)
    config.network, config.image_size, config.augment = 'cifar_cbam_resnet18', 8, 'none'
    setup = prepare(config)
    initialize(setup.net, setup.model, setup.ctx, setup.config.zero_gamma)
    gammas = {name: value for name, value in setup.net._collect_params_with_prefix().items() if 'gamma' in name}
    zero = [name for name, value in gammas.items() if '.attention.' not in name and not value.data().asnumpy().any()]
    assert zero == [f'layer{stage}.{block}.bn2.gamma' for stage in range(1, 5) for block in range(2)]
    x = mx.nd.random.normal(shape=(2, 64, 4, 4)).abs()
    assert np.array_equal(setup.net.layer1(x).asnumpy(), x.asnumpy())
    last = get_model('resnet50', classes=5).layer2[0].last_norm
    assert last.gamma.shape == (512,)


def test_networks_without_residual_blocks_refuse(five, tmp_path):
    with pytest.raises(UsageError, match='--zero-gamma is for residual networks: cbamnet_tiny has no block'):
        prepare(settings(five, tmp_path, zero_gamma=True))
    with pytest.raises(UsageError, match='leave it out with --pretrained'):
        prepare(settings(five, tmp_path, zero_gamma=True, pretrained=''))
