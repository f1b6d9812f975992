"""VGG16 with dilated convolutions: MXNet's own VGG16 with the same weights, its map behind fc7 in numpy, attention."""

import checks
import mxnet as mx
import numpy as np
from mxnet.gluon.model_zoo import vision

from gluon_cbam import features, get_model
from gluon_cbam.models import variant
from gluon_cbam.models.registry import family


def test_stages_are_those_of_vgg16():
    net, theirs = get_model('vgg16_atrous', classes=2), vision.vgg16().features
    checks.fill(net)
    theirs.initialize()
    convolutions = [block for block in theirs if isinstance(block, mx.gluon.nn.Conv2D)]
    ours = [conv for stage in list(net.stages)[:5] for conv in stage.convs]
    assert len(ours) == len(convolutions) == 13
    x = mx.nd.array(np.random.RandomState(0).normal(0, 1, (1, 3, 64, 64)))
    theirs(x)  # their shapes are known after it
    for conv, wanted in zip(ours, convolutions):
        wanted.weight.set_data(conv.weight.data())
        wanted.bias.set_data(conv.bias.data())
    expected = []
    for block in theirs:
        if isinstance(block, mx.gluon.nn.MaxPool2D):
            expected.append(x)
        if isinstance(block, mx.gluon.nn.Dense):
            break
        x = block(x)
    maps = features(net)(mx.nd.array(np.random.RandomState(0).normal(0, 1, (1, 3, 64, 64))))
    for value, wanted in zip(maps, expected):
        assert value.shape == wanted.shape
        assert np.abs(value.asnumpy() - wanted.asnumpy()).max() <= 1e-5 * np.abs(wanted.asnumpy()).max()


def test_fc6_reads_cells_that_are_six_apart():
    net = get_model('vgg16_atrous', classes=2, widen=1 / 32)
    checks.fill(net)
    fifth, last = features(net, (4, 5))(mx.nd.array(np.random.RandomState(0).normal(0, 1, (1, 3, 208, 208))))
    fifth, last = fifth.asnumpy()[0], last.asnumpy()[0]  # (16, 13, 13), (32, 13, 13)
    padded = np.pad(fifth, ((0, 0), (1, 1), (1, 1)), constant_values=-np.inf)
    pooled = np.max([padded[:, i : i + 13, j : j + 13] for i in range(3) for j in range(3)], axis=0)
    fc6, fc7 = ([each.asnumpy() for each in (conv.weight.data(), conv.bias.data())] for conv in net.stages[5].convs)
    cells = pooled[:, ::6, ::6]  # of the 13 x 13 cells, the center reads those of rows and columns 0, 6 and 12
    hidden = np.maximum((fc6[0] * cells).sum((1, 2, 3)) + fc6[1], 0)
    wanted = np.maximum(fc7[0][:, :, 0, 0] @ hidden + fc7[1], 0)
    assert np.abs(last[:, 6, 6] - wanted).max() <= 1e-5 * np.abs(wanted).max()


def test_sizes_are_rounded_up():
    net = get_model('vgg16_atrous', widen=1 / 32)
    shapes = mx.sym.Group(list(net.stage_outputs(mx.sym, mx.sym.Variable('data')))).infer_shape(data=(1, 3, 300, 297))[
        1
    ]
    assert [shape[2:] for shape in shapes] == [(300, 297), (150, 149), (75, 75), (38, 38), (19, 19), (19, 19)]


def test_attention_is_at_the_end_of_every_stage():
    row = variant('vgg16_atrous')
    net = family(row).build(row, classes=2, widen=1 / 16, attention='cbam', reduction=4)
    assert [stage.attention.channel.fc1.weight.shape[0] for stage in net.stages] == [1, 2, 4, 8, 8, 16]
    checks.fill(net)
    stage, x = net.stages[1], mx.nd.array(np.random.RandomState(0).normal(0, 1, (1, 4, 8, 8)))
    attended = stage(x).asnumpy()
    attention = stage.attention
    object.__setattr__(stage, 'attention', None)
    assert np.abs(attention(stage(x)).asnumpy() - attended).max() <= 1e-6
