"""Sizes of images that are too small for a network are refused before anything is computed."""

import mxnet as mx
import pytest
from checks import assert_one_line

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
