"""Detectors that start from the weights of their backbone."""

import checks
import mxnet as mx
import numpy as np
import pytest

from gluon_cbam import get_model, weights
from gluon_cbam.common.errors import DataError, UsageError
from gluon_cbam.inference.network import load_network
from gluon_cbam.models.registry import backbone_of
from gluon_cbam.pretrained.resolve import resolve

NORMALIZATION = {'mean': [0.1, 0.2, 0.3], 'std': [0.4, 0.5, 0.6]}
OPTIONS = {'widen': 0.25, 'bottleneck_stride': '1x1'}


def saved(folder, name, classes=7, with_card=True, **options):
    """A network with every parameter random, and the path of its file."""
    net, path = checks.fill(get_model(name, classes=classes, **options)), folder / f'{name}.params'
    if with_card:
        card = {'preprocessing': {'image_size': 32, **NORMALIZATION}, 'class_names': list('abcdefg')[:classes]}
        weights.save(net, path, network=name, classes=classes, options=options, **card)
    else:
        net.save_parameters(str(path))
    return net, path


def parameters(net):
    return {name: value.data().asnumpy() for name, value in net._collect_params_with_prefix().items()}


@pytest.mark.parametrize('with_card', [True, False])
def test_the_backbone_is_set_and_the_rest_starts_anew(tmp_path, with_card, caplog):
    net, path = saved(tmp_path, 'resnet18', with_card=with_card, **OPTIONS)
    given = {} if with_card else {**OPTIONS, 'classes': 7}
    mx.random.seed(1)
    with caplog.at_level('INFO', 'gluon_cbam.weights'):
        detector = get_model('ssd_300', pretrained=str(path), backbone='resnet18', **(OPTIONS if given else {}))
    mine, theirs = parameters(detector), parameters(net)
    expected = {f'backbone.{name}': value for name, value in theirs.items() if not name.startswith('fc.')}
    assert all(np.array_equal(mine[name], value) for name, value in expected.items())
    assert {name.split('.')[0] for name in set(mine) - set(expected)} == {'extras', 'heads'}
    assert all(value.any() for name, value in mine.items() if name.endswith('weight'))
    assert f'{len(expected)} parameters of the backbone are from {path}' in caplog.text
    assert f'{len(mine) - len(expected)} others start anew' in caplog.text


def test_the_record(tmp_path):
    """Options and normalization are those of the weights; classes and sizes are those of the detector."""
    _, path = saved(tmp_path, 'resnet18', **OPTIONS)
    model = resolve('ssd_300', pretrained=str(path), options={'backbone': 'resnet18', 'keep': 50}, from_plain=True)
    assert model.options == {'backbone': 'resnet18', 'keep': 50, **OPTIONS}
    assert (model.classes, model.class_names, model.card) == (20, None, None)
    assert (model.preprocessing.image_size, model.preprocessing.resize) == (300, 'stretch')
    assert (list(model.preprocessing.mean), list(model.preprocessing.std)) == (
        NORMALIZATION['mean'], NORMALIZATION['std'],
    )  # fmt: skip
    assert model.started_from() == {'source': str(path), 'sha256': model.params_sha256, 'network': 'resnet18'}
    smaller = resolve('ssd_300', None, str(path), 3, {'backbone': 'resnet18'}, image_size=96, from_plain=True)
    assert (smaller.classes, smaller.preprocessing.image_size) == (3, 96)


@pytest.mark.parametrize('options', [{'backbone': 'cbam_resnet18'}, {'backbone': 'resnet18', 'attention': 'cbam'}])
def test_attention_of_the_backbone_starts_anew(tmp_path, options):
    net, path = saved(tmp_path, 'resnet18', **OPTIONS)
    detector = get_model('ssd_300', pretrained=str(path), gate='identity', **options)
    mine = parameters(detector)
    assert np.array_equal(mine['backbone.layer4.1.conv2.weight'], net.layer4[1].conv2.weight.data().asnumpy())
    assert any(name.startswith('backbone.layer4.1.attention') for name in mine)


def test_weights_of_the_detector_itself(tmp_path):
    options = {'backbone': 'resnet18', 'widen': 0.25}
    net, path = saved(tmp_path, 'ssd_300', classes=3, **options)
    same = get_model('ssd_300', pretrained=str(path))
    assert all(np.array_equal(value, parameters(same)[name]) for name, value in parameters(net).items())
    other = get_model('ssd_300', pretrained=str(path), classes=5)
    mine, theirs = parameters(other), parameters(net)
    new = {name for name in mine if mine[name].shape != theirs[name].shape}
    assert new == {f'heads.{number}.class_predictor.{kind}' for number in range(6) for kind in ('weight', 'bias')}
    assert all(np.array_equal(mine[name], theirs[name]) for name in mine if name not in new)


def test_weights_of_other_networks(tmp_path):
    _, path = saved(tmp_path, 'resnet18', **OPTIONS)
    with pytest.raises(DataError, match='holds weights of resnet18, not of resnet50'):
        get_model('ssd_300', pretrained=str(path))
    with pytest.raises(DataError, match='holds weights of resnet18, not of ssd_300'):
        load_network('ssd_300', [mx.cpu()], str(path))
    with pytest.raises(UsageError, match='are of resnet50, not of resnet18'):
        get_model('ssd_300', pretrained='resnet50', backbone='resnet18')
    with pytest.raises(UsageError, match='nothing.here'):
        get_model('ssd_300', pretrained='nothing.here')


def test_the_backbone_of_options():
    assert backbone_of('ssd_300', {}) == ('resnet50', {})
    given = {'backbone': 'resnet18', 'attention': 'cbam', 'attention_in': 'both', 'reduction': 8, 'keep': 5}
    assert backbone_of('ssd_300', given) == ('cbam_resnet18', {'reduction': 8})
    heads = {**given, 'attention_in': 'heads', 'widen': 0.5}
    assert backbone_of('ssd_300', heads) == ('resnet18', {'widen': 0.5})
