"""Assertions that several tests share."""

import mxnet as mx
import numpy as np
from golden import recipe


def assert_one_line(process, code):
    """A command failed with this exit code and said why in one line on standard error; returns the line."""
    lines = process.stderr.strip().splitlines()
    assert process.returncode == code, process.stderr
    assert len(lines) == 1, process.stderr
    assert process.stdout == ''
    return lines[0]


def fill(block):
    """Make every parameter random, those of BatchNorm too, so that nothing hides behind a zero or a one; returns it."""
    block.initialize(force_reinit=True)
    for name, parameter in block._collect_params_with_prefix().items():
        parameter.set_data(mx.nd.array(recipe.fill(name, parameter.shape)))
    return block


def three_ways(net, x, folder):
    """The outputs of a network imperative, hybridized with static memory, and exported and imported again."""
    x = mx.nd.array(x)
    outputs = [net(x).asnumpy()]
    net.hybridize(static_alloc=True, static_shape=True)
    outputs.append(net(x).asnumpy())
    net.export(str(folder / 'net'))
    symbol, params = str(folder / 'net-symbol.json'), str(folder / 'net-0000.params')
    exported = mx.gluon.SymbolBlock.imports(symbol, ['data'], params, x.context)
    return [*outputs, exported(x).asnumpy()]


def without_gradient(net, x):
    """Names of the trainable parameters whose gradient is zero or not finite after a backward pass.

    In training, a BatchNorm takes away the bias before it, whose gradient is nothing but rounding: what had none then
    has a second chance with the running statistics.
    """
    names = _without_gradient(net, x, train_mode=True)
    again = _without_gradient(net, x, train_mode=False) if names else []
    return [name for name in names if name in again]


def _without_gradient(net, x, train_mode):
    for parameter in net.collect_params().values():
        if parameter.grad_req != 'null':
            parameter.zero_grad()
    with mx.autograd.record(train_mode=train_mode):
        output = net(mx.nd.array(x))
        loss = (output * mx.nd.array(np.random.RandomState(3).randn(*output.shape))).sum()
    loss.backward(train_mode=train_mode)
    gradients = {
        name: parameter.grad().asnumpy()
        for name, parameter in net._collect_params_with_prefix().items()
        if parameter.grad_req != 'null'
    }
    return [name for name, value in gradients.items() if not np.isfinite(value).all() or not value.any()]


def assert_attends(attention, x):
    """A module's output is its input times gates in (0, 1), of rank one over channel x space, that follow the input."""

    def gates(value):
        return attention(mx.nd.array(value)).asnumpy() / value

    first, second = gates(x), gates(x + 0.5 * np.roll(x, 1, axis=0))
    assert first.min() > 0
    assert first.max() < 1
    assert np.abs(first - second).max() > 1e-4, 'the gates do not follow the input'
    for image in first:
        matrix = image.reshape(image.shape[0], -1)
        singular = np.linalg.svd(matrix, compute_uv=False)
        assert singular[1] < 1e-5 * singular[0], 'the gates are not channel x space'
        assert matrix.std(axis=0).max() > 1e-4, 'the gates do not differ between channels'
