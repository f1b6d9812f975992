"""Detectors are written as symbols for stock MXNet; other formats say in one line that they do not hold them."""

import checks
import mxnet as mx
import numpy as np
import pytest
import stock_mxnet

from gluon_cbam import get_model, weights
from gluon_cbam.data.loading.preprocessing import Preprocessing
from gluon_cbam.models import variant

SIZE = 64
OPTIONS = {'backbone': 'cbam_resnet18', 'widen': 0.25}
STOCK = f"""{stock_mxnet.PREPARE}
import mxnet as mx
"""
STOCK += """prefix, batch, output = FILES
net = mx.gluon.SymbolBlock.imports(f'{prefix}-symbol.json', ['data'], f'{prefix}-0000.params')
numpy.save(output, net(mx.nd.array(numpy.load(batch))).asnumpy())
"""


@pytest.fixture(scope='module')
def detector(tmp_path_factory):
    """A detector with every parameter random, and its file with a card."""
    path = tmp_path_factory.mktemp('detector') / 'net.params'
    net = checks.fill(get_model('ssd_300', classes=3, **OPTIONS))
    preprocessing = Preprocessing.of(variant('ssd_300'), image_size=SIZE)
    card = {'class_names': ['a', 'b', 'c'], 'preprocessing': preprocessing.as_dict(), 'task': 'detection'}
    weights.save(net, path, network='ssd_300', classes=3, options=OPTIONS, **card)
    return net, path


def test_stock_mxnet_runs_the_symbol(detector, cbam_here, python, tmp_path):
    net, path = detector
    done = cbam_here('export', '--params', path, '--format', 'symbol', '--output', tmp_path / 'net')
    assert done.returncode == 0, done.stderr
    x = np.random.RandomState(0).normal(0, 1, (2, 3, SIZE, SIZE)).astype('float32')
    np.save(str(tmp_path / 'x.npy'), x)
    files = [str(tmp_path / name) for name in ('net', 'x.npy', 'y.npy')]
    done = python(f'FILES = {files!r}\n{STOCK}')
    assert done.returncode == 0, done.stderr
    assert np.abs(np.load(str(tmp_path / 'y.npy')) - net(mx.nd.array(x)).asnumpy()).max() <= 1e-4


@pytest.mark.parametrize('form', ['onnx', 'onnx-float16', 'onnx-int8', 'insightface'])
def test_other_formats_refuse_them(detector, cbam_here, tmp_path, form):
    name = 'net' if form == 'insightface' else 'net.onnx'
    done = cbam_here('export', '--params', detector[1], '--format', form, '--output', tmp_path / name)
    line = checks.assert_one_line(done, 2)
    assert f'{form} does not hold detectors such as ssd_300 yet: give --format symbol or safetensors' in line
    assert list(tmp_path.iterdir()) == []
