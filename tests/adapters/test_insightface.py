"""The symbols that insightface gets: the original names in the original order, and the original's outputs."""

import json

import mxnet as mx
import numpy as np
import pytest
from golden import ModifiedGolden

from gluon_cbam.adapters import insightface, insightface_config

# file -> depth, arguments
GOLDEN = {
    '18_A': (18, {'version_output': 'A'}),
    '18_C': (18, {'version_output': 'C'}),
    '18_E': (18, {'version_se': 0, 'version_unit': 3, 'bn_mom': 0.9}),
    '18_ibn_E': (18, {'ibn': True}),
    '18_input0_G': (18, {'version_input': 0, 'version_output': 'G'}),
    '50_E': (50, {'version_input': 1, 'version_act': 'prelu'}),
}


@pytest.mark.parametrize('name', GOLDEN)
def test_original_names_in_the_original_order(name):
    golden, (depth, arguments) = ModifiedGolden(name), GOLDEN[name]
    symbol = insightface.get_symbol(golden.output.shape[1], depth, **arguments)
    assert symbol.list_arguments() == ['data', *golden.arguments]
    assert symbol.list_auxiliary_states() == golden.auxiliary
    if not name.endswith('A'):
        assert symbol.list_outputs() == ['fc1_output']
        assert 'stage4_unit1_bn_sc_batchnorm_output' in symbol.get_internals().list_outputs()


def test_original_parameters_bind():
    golden = ModifiedGolden('18_E')
    symbol = insightface.get_symbol(128, 18)
    values = {name: mx.nd.array(value) for name, value in golden.arrays.items()}
    executor = symbol.bind(
        mx.cpu(),
        {'data': mx.nd.array(golden.input), **{name: values[name] for name in golden.arguments}},
        aux_states={name: values[name] for name in golden.auxiliary},
        grad_req='null',
    )
    assert np.abs(executor.forward(is_train=False)[0].asnumpy() - golden.output).max() <= 2e-6


def test_the_trainer_initializes_the_weights():
    """Variables carry what MXNet's own operators give them: no shapes, and no initializer of weights."""
    nodes = json.loads(insightface.get_symbol(16, 18).tojson())['nodes']
    attributes = {node['name']: node.get('attrs', {}) for node in nodes if node['op'] == 'null'}
    assert set().union(*attributes.values()) == {'__init__'}
    assert not [name for name, attrs in attributes.items() if name.endswith('_weight') and attrs]
    module = mx.mod.Module(insightface.get_symbol(16, 18), label_names=None)
    module.bind([('data', (2, 3, 48, 48))], for_training=False)
    module.init_params(mx.init.Constant(0.125))
    arguments, auxiliary = module.get_params()
    assert (arguments['pre_fc1_weight'].asnumpy() == 0.125).all()
    assert arguments['pre_fc1_weight'].shape == (16, 512 * 9)
    assert (arguments['cbam_conv1_bn1_prelu_gamma'].asnumpy() == 0.25).all()
    assert (arguments['bn1_gamma'].asnumpy() == 1).all()
    assert (auxiliary['bn1_moving_var'].asnumpy() == 1).all()


@pytest.mark.parametrize(
    ('layers', 'arguments', 'message'),
    [
        (20, {}, 'unknown num_layers 20: known: 18, 34, 49'),
        (18, {'version_outptu': 'E'}, "no argument 'version_outptu': did you mean version_output"),
        (18, {'version_output': 'Z'}, "unknown version_output 'Z'"),
        (18, {'bn_mom': 0.99}, 'bn_mom is built in as 0.9, got 0.99'),
    ],
)
def test_mistakes(layers, arguments, message):
    with pytest.raises(ValueError, match=message):
        insightface.get_symbol(512, layers, **arguments)


CONFIG = """
class config:
    emb_size, num_layers, net_input, net_output, net_act, bn_mom = 64, 18, 0, 'G', 'prelu', 0.9
    net_unit, net_se, workspace, memonger, dataset = 3, 0, 256, False, 'emore'
"""


def test_config(python, tmp_path):
    """The contract of 2019: the symbol's module finds the training's own module config."""
    (tmp_path / 'config.py').write_text(CONFIG)
    (tmp_path / 'fcbamnet.py').write_text('from gluon_cbam.adapters.insightface_config import get_symbol\n')
    code = 'import json, fcbamnet; s = fcbamnet.get_symbol(); print(json.dumps([s.list_arguments(), s.list_outputs()]))'
    process = python(code, tmp_path)
    assert process.returncode == 0, process.stderr
    assert json.loads(process.stdout) == [['data', *ModifiedGolden('18_input0_G').arguments], ['fc1_output']]


def test_config_object():
    class Settings:
        emb_size, num_layers, net_ibn, net_output = 128, 18, True, 'E'

    assert insightface_config.get_symbol(Settings).list_arguments()[1:] == ModifiedGolden('18_ibn_E').arguments
