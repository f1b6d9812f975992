"""GluonCV's FCN and DeepLabV3, built from its own classes: their files give their outputs here."""

import mxnet as mx
import numpy as np
import pytest

from gluon_cbam import convert, get_model
from gluon_cbam.common.errors import DataError
from gluon_cbam.convert.files import converted

KINDS = {'fcn': ('gluoncv.model_zoo.fcn', 'FCN'), 'deeplabv3': ('gluoncv.model_zoo.deeplabv3', 'DeepLabV3')}
OPTIONS = {'backbone': 'resnet50_v1s'}


def theirs_of(name):
    """Their network with every parameter random."""
    module, kind = KINDS[name]
    net = getattr(pytest.importorskip(module), kind)(
        5, 'resnet50', aux=True, pretrained_base=False, crop_size=64, base_size=64
    )
    net.initialize()
    net(mx.nd.zeros((1, 3, 64, 64)))
    random = np.random.RandomState(0)
    for path, parameter in net._collect_params_with_prefix().items():
        shape = parameter.shape
        if path.endswith(('gamma', 'var')):
            value = random.uniform(0.7, 1.3, shape)
        elif path.endswith('weight'):
            value = random.normal(0, (1.5 / np.prod(shape[1:])) ** 0.5, shape)
        else:
            value = random.normal(0, 0.2, shape)
        parameter.set_data(mx.nd.array(value))
    return net


@pytest.mark.slow
@pytest.mark.parametrize('name', sorted(KINDS))
def test_outputs_are_theirs(name, tmp_path):
    theirs, x = theirs_of(name), mx.nd.array(np.random.RandomState(1).normal(0, 1, (2, 3, 64, 64)))
    theirs.save_parameters(str(tmp_path / 'theirs.params'))
    ours = converted(tmp_path / 'theirs.params', name, 'gluoncv', OPTIONS, classes=5)
    main, aux = (value.asnumpy() for value in theirs(x))
    found = ours(x).asnumpy()
    assert np.abs(found - main).max() <= 1e-4 * np.abs(main).max()
    for value, wanted in zip(ours.raw(mx.nd, x), (main, aux)):
        assert np.abs(value.asnumpy() - wanted).max() <= 1e-4 * np.abs(wanted).max()


def test_what_does_not_fit_is_refused():
    arrays = {name: value.data().asnumpy() for name, value in theirs_of('fcn')._collect_params_with_prefix().items()}
    net = get_model('fcn', classes=5, **OPTIONS)
    with pytest.raises(DataError, match='unexpected: head.block.9.weight'):
        convert.load_arrays(net, {**arrays, 'head.block.9.weight': np.ones(3)}, 'gluoncv')
    with pytest.raises(DataError, match='missing'):
        convert.load_arrays(net, {name: value for name, value in arrays.items() if name != 'bn1.beta'}, 'gluoncv')
    with pytest.raises(DataError, match='ResNet has another task: give --network fcn'):
        convert.load_arrays(get_model('resnet18', classes=3), arrays, 'gluoncv')
