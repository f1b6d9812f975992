"""FCN and DeepLabV3: outputs of both modes, where attention is, and what is refused."""

import mxnet as mx
import numpy as np
import pytest

from gluon_cbam import get_model
from gluon_cbam.attention.base import Attention

NARROW = {'backbone': 'resnet18', 'widen': 0.125, 'classes': 5}


def built(name='fcn', **options):
    mx.random.seed(0)
    net = get_model(name, **{**NARROW, **options})
    net.initialize(mx.init.Xavier())
    return net


def images(height=48, width=64, count=2):
    return mx.nd.array(np.random.RandomState(0).normal(0, 1, (count, 3, height, width)))


def attentions(net):
    """Paths of the attention modules."""
    found = []

    def visit(block, path):
        found.extend([path] if isinstance(block, Attention) else [])
        for name, child in block._children.items():
            visit(child, f'{path}.{name}' if path else name)

    visit(net, '')
    return found


@pytest.mark.parametrize('name', ['fcn', 'deeplabv3'])
def test_both_modes_in_any_order(name):
    net, x = built(name), images()
    plain, (main, aux) = net(x), net.raw(mx.nd, x)
    assert plain.shape == main.shape == aux.shape == (2, 5, 48, 64)
    assert np.abs(plain.asnumpy() - main.asnumpy()).max() <= 1e-5 * np.abs(plain.asnumpy()).max()
    net.hybridize(static_alloc=True, static_shape=True)
    for training in (True, False, True):
        if training:
            with mx.autograd.record():
                outputs = net(x)
                sum(each.sum() for each in outputs).backward()
            assert [each.shape for each in outputs] == [(2, 5, 48, 64)] * 2
        else:
            assert net(x).shape == (2, 5, 48, 64)


def test_gradients_of_several_threads_are_the_same_each_time():
    """Those of BilinearResize2D are not, why training interpolates by matrices."""
    net = built()
    net.hybridize()
    found = []
    for _ in range(6):
        mx.random.seed(1)
        with mx.autograd.record():
            sum((each * each).sum() for each in net(images(64, 64, 4))).backward()
        found.append(net.head.classifier.weight.grad().asnumpy())
    assert all(np.array_equal(found[0], each) for each in found)


def test_of_any_size_and_without_a_second_head():
    net = built(aux=False)
    net.hybridize()
    for size in ((40, 40), (33, 57)):
        assert net(images(*size)).shape == (2, 5, *size)
    with mx.autograd.record():
        assert len(net(images())) == 1
    assert not any(name.startswith('aux_head') for name in net._collect_params_with_prefix())


def test_logits_are_resized_with_aligned_corners():
    net, x = built(), images()
    cells = net.logits_of(mx.nd, net.backbone(x)[-1]).asnumpy()
    found = net(x).asnumpy()
    for row, cell_row in ((0, 0), (-1, -1)):
        assert np.allclose(found[:, :, row, [0, -1]], cells[:, :, cell_row, [0, -1]], atol=1e-5)
    middle = cells[:, :, 0, 0] + (cells[:, :, 0, 1] - cells[:, :, 0, 0]) * (7 / 63)
    assert np.allclose(found[:, :, 0, 1], middle, atol=1e-5)


@pytest.mark.parametrize(
    ('options', 'strides'),
    [
        ({}, (8, 8)),
        ({'dilated': False}, (16, 32)),
        ({'backbone': 'resnet50_v1s'}, (8, 8)),
        ({'backbone': 'cifar_resnet18'}, (4, 8)),
        ({'backbone': 'mobilenet0.7', 'widen': None}, (16, 32)),
    ],
)
def test_backbones_are_dilated_to_a_stride_of_8(options, strides):
    given = {name: value for name, value in {**NARROW, **options}.items() if value is not None}
    assert get_model('fcn', **given).backbone.strides == strides


def test_attention_is_where_it_is_asked_for():
    assert attentions(built()) == []
    in_backbone = attentions(built(attention='cbam', reduction=4))
    assert len(in_backbone) == 8 and all(path.startswith('backbone.') for path in in_backbone)
    for name in ('fcn', 'deeplabv3'):
        assert attentions(built(name, attention='se', attention_in='heads', reduction=4)) == ['head.attention']
    assert len(attentions(built('deeplabv3', attention='cbam', attention_in='both', reduction=4))) == 9


def test_attention_refines_what_the_classifier_reads():
    net, x = built(attention='cbam', attention_in='heads', reduction=4), images()
    seen = {}
    net.head.attention.register_forward_hook(lambda block, inputs, output: seen.update(refined=output))
    net.head.classifier.register_forward_hook(lambda block, inputs, output: seen.update(read=inputs[0]))
    net(x)
    assert np.array_equal(seen['refined'].asnumpy(), seen['read'].asnumpy())


@pytest.mark.parametrize(
    ('options', 'reason'),
    [
        ({'backbone': 'mobilenet0.7', 'dilated': True, 'widen': None}, 'mobilenet0.7 has no dilated form'),
        ({'backbone': 'fcn', 'widen': None}, 'fcn cannot be a backbone'),
        ({'attention_in': 'head'}, "unknown attention_in 'head'"),
        ({'classes': 0}, 'classes must be a positive integer'),
        ({'aux': 'no'}, "aux must be True or False, got 'no'"),
        ({'dilated': 'no'}, "dilated must be True or False, got 'no'"),
    ],
)
def test_what_does_not_fit(options, reason):
    given = {name: value for name, value in {**NARROW, **options}.items() if value is not None}
    with pytest.raises(ValueError, match=reason):
        get_model('fcn', **given)


def test_exported_symbols_give_the_logits(tmp_path):
    net, x = built('deeplabv3', attention='cbam', attention_in='both', reduction=4), images()
    net.hybridize()
    expected = net(x).asnumpy()
    net.export(str(tmp_path / 'net'))
    loaded = mx.gluon.SymbolBlock.imports(
        str(tmp_path / 'net-symbol.json'), ['data'], str(tmp_path / 'net-0000.params')
    )
    assert np.abs(loaded(x).asnumpy() - expected).max() <= 1e-5 * np.abs(expected).max()
    assert loaded(images(40, 40)).shape == (2, 5, 40, 40)
