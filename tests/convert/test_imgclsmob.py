"""Networks of gluoncv2, the other Gluon implementation, whose published weights follow its names."""

import checks
import mxnet as mx
import numpy as np
import pytest

from gluon_cbam import convert, get_model

provider = pytest.importorskip('gluoncv2.model_provider')

# ours -> theirs; b: the stride is in the 3 x 3
SAME = {
    'resnet18': 'resnet18',
    'resnet34': 'resnet34',
    'resnet50': 'resnet50b',
    'resnet101': 'resnet101b',
    'se_resnet18': 'seresnet18',
    'se_resnet50': 'seresnet50b',
    'se_resnet101': 'seresnet101b',
    'cbam_resnet18': 'cbam_resnet18',
    'cbam_resnet50': 'cbam_resnet50',
    'bam_resnet18': 'bam_resnet18',
    'bam_resnet50': 'bam_resnet50',
    'resnext50_32x4d': 'resnext50_32x4d',
    'se_resnext50_32x4d': 'seresnext50_32x4d',
}


def arrays_of(net):
    return {name: parameter.data().asnumpy() for name, parameter in net._collect_params_with_prefix().items()}


@pytest.mark.parametrize('name', SAME)
def test_equals_gluoncv2(name):
    theirs = checks.fill(provider.get_model(SAME[name]))
    ours = get_model(name)
    convert.load_arrays(ours, arrays_of(theirs), 'imgclsmob')
    x = mx.nd.array(np.random.RandomState(0).randn(1, 3, 224, 224))
    expected = theirs(x).asnumpy()
    assert expected.std() > 0.01 * np.abs(expected).max()
    assert np.abs(ours(x).asnumpy() - expected).max() <= 1e-5 * np.abs(expected).max()


def test_only_kernels_of_dense_layers_are_reshaped():
    """SE's dense layers are 1 x 1 convolutions there; a 1 x 1 convolution of the body stays one."""
    theirs = checks.fill(provider.get_model('seresnet50b'))
    arrays = arrays_of(theirs)
    assert arrays['features.1.0.se.conv1.weight'].shape == (16, 256, 1, 1)
    net = get_model('se_resnet50')
    convert.load_arrays(net, arrays, 'imgclsmob')
    weight = net.layer1[0].attention.gate.fc1.weight.data().asnumpy()
    assert np.array_equal(weight, arrays['features.1.0.se.conv1.weight'][:, :, 0, 0])
    assert net.layer1[0].conv1.weight.shape == (64, 64, 1, 1)
    arrays['features.1.0.se.conv1.weight'] = np.zeros((16, 256, 3, 3), 'float32')
    with pytest.raises(ValueError, match=r'fc1.weight \(16, 256, 3, 3\) instead of \(16, 256\)'):
        convert.load_arrays(net, arrays, 'imgclsmob')


def test_another_attention_does_not_fit():
    theirs = checks.fill(provider.get_model('bam_resnet18'))
    with pytest.raises(ValueError, match='imgclsmob parameters do not fit ResNet: .* unexpected: attention1'):
        convert.load_arrays(get_model('resnet18'), arrays_of(theirs), 'imgclsmob')
