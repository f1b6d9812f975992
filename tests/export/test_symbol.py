"""Exported symbols run in stock MXNet, in a process that never saw this package."""

import json

import mxnet as mx
import numpy as np
import stock_mxnet

STOCK = f"""{stock_mxnet.PREPARE}
import sys
import mxnet as mx
"""
STOCK += """folder, name, output = FILES
net = mx.gluon.SymbolBlock.imports(f'{folder}/{name}-symbol.json', ['data'], f'{folder}/{name}-0000.params')
batch = numpy.load(f'{folder}/{name}.npy')
numpy.save(output, net(mx.nd.array(batch, dtype=batch.dtype)).asnumpy())
symbol, arg, aux = mx.model.load_checkpoint(f'{folder}/{name}', 0)
assert set(symbol.list_inputs()) == {'data', *arg, *aux}
assert not any(module.split('.')[0] == 'gluon_cbam' for module in sys.modules)
"""


def test_stock_mxnet_runs_it(digits_network, exported_digits, pictures, python, tmp_path):
    preprocessing = digits_network.preprocessing
    floats = np.stack([preprocessing(picture) for picture in pictures])
    wanted = digits_network.net(mx.nd.array(floats)).asnumpy()
    batches = {'digits': floats, 'pixels': np.stack([preprocessing.crop(picture) for picture in pictures])}
    for name, batch in batches.items():
        np.save(exported_digits / f'{name}.npy', batch)
        output = tmp_path / f'{name}.npy'
        done = python(f'FILES = {str(exported_digits)!r}, {name!r}, {str(output)!r}\n{STOCK}')
        assert done.returncode == 0, done.stderr
        np.testing.assert_allclose(np.load(output), wanted, atol=1e-5)


def test_the_graph_has_only_mxnets_operators(digits_network, exported_digits):
    """Also of a network that ran hybridized, where operators of this package may be in its cache."""
    digits_network.net(mx.nd.zeros((1, 3, 16, 16)))
    graph = json.loads((exported_digits / 'digits-symbol.json').read_text())

    assert not [node['op'] for node in graph['nodes'] if 'cbam' in node['op'].lower()]
    names = [node['name'] for node in graph['nodes']]
    assert len(set(names)) == len(names) and 'stages.0.conv.weight' in names
    assert not [name for name in names if name.startswith('cbamnet')], 'a name that counts the networks of the process'
