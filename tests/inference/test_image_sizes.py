"""Sizes of images that are too small for a network are refused before anything is computed."""

import mxnet as mx
import numpy as np
import pytest
from checks import assert_one_line, fill

from gluon_cbam import get_model
from gluon_cbam.inference.network import load_network

# the stride of the last map of the backbone that is read
LEAST = {
    'ssd_300': 32, 'stairnet_300': 32, 'faster_rcnn_fpn': 32, 'faster_rcnn_c4': 16, 'centernet': 32, 'yolo3': 32,
    'fcn': 8, 'deeplabv3': 8,
}  # fmt: skip


@pytest.mark.parametrize('name', LEAST)
def test_a_map_has_a_whole_cell(name):
    least, options = LEAST[name], {'backbone': 'cbam_resnet18', 'widen': 0.25}
    with pytest.raises(ValueError, match=f'takes inputs of at least {least} x {least}, got {least - 1} x {least - 1}'):
        load_network(name, [mx.cpu()], classes=2, image_size=least - 1, options=options)
    load_network(name, [mx.cpu()], classes=2, image_size=least, options=options)


def test_commands_refuse_them(cbam_here, tmp_path):
    """Before data are read, which these are not."""
    network = ('--network', 'yolo3', '--option', 'backbone=cbam_resnet18', '--classes', '3', '--image-size', '7')
    for command in (
        ('validate', '--data-val', tmp_path / 'val.rec'), ('export', '--output', tmp_path / 'x.onnx'),
        ('export', '--output', tmp_path / 'x.onnx', '--dynamic'),
    ):  # fmt: skip
        line = assert_one_line(cbam_here(*command, *network), 2)
        assert line == 'cbam: YOLO3 takes inputs of at least 32 x 32, got 7 x 7'
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize('name', ['cbamnet_tiny', 'cifar_cbam_resnet18', 'cifar_bam_resnet18', 'cbam_mobilenet0.7'])
def test_a_transposed_network_sees_transposed_images(name):
    """Height and width are not mixed up anywhere: the same network with transposed kernels, on a transposed image."""
    net = fill(get_model(name, classes=3))
    wide = mx.nd.array(np.random.RandomState(0).standard_normal((2, 3, 32, 64)))
    tall = wide.transpose((0, 1, 3, 2))
    wanted, other = (net(each).asnumpy() for each in (wide, tall))
    assert np.abs(wanted - other).max() > 1e-3, 'the kernels are symmetric'
    for parameter in net.collect_params().values():
        if len(parameter.shape) == 4:
            parameter.set_data(parameter.data().transpose((0, 1, 3, 2)))
    np.testing.assert_allclose(net(tall).asnumpy(), wanted, rtol=1e-4, atol=1e-4)
