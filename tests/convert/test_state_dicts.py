"""State dicts as training scripts save them: wrappers, prefixes, endings, and heads of another size."""

import logging
import pickle

import mxnet as mx
import numpy as np
import pytest
import torch_files as files

from gluon_cbam import convert, get_model
from gluon_cbam.common.errors import DataError, UsageError
from gluon_cbam.convert.files import converted, read_arrays
from gluon_cbam.convert.state_dicts import without_prefixes

NETWORK, OPTIONS = 'cifar_cbam_resnet18', {'widen': 0.25}


@pytest.fixture(scope='module')
def arrays():
    """The parameters of a small network under the names of the official code."""
    net = get_model(NETWORK, classes=3, **OPTIONS)
    net.initialize(mx.init.Uniform(1))
    return convert.to_arrays(net, 'official')


def part_of(arrays, prefix='', number=0):
    """The pickle's part of a state dict, and its storages."""
    storages = {f'{number}.{index}': np.float32(array) for index, array in enumerate(arrays.values())}
    tensors = {prefix + name: files.tensor(key, array.shape) for (name, array), key in zip(arrays.items(), storages)}
    return files.mapping(tensors), storages


def assert_converted(path, arrays, **arguments):
    net = converted(path, NETWORK, 'official', OPTIONS, 3, **arguments)
    found = convert.to_arrays(net, 'official')
    assert set(found) == set(arrays)
    assert all(np.array_equal(found[name], value) for name, value in arrays.items())


WRAPPED = {
    'model': ('net.pth', ['model'], ''),
    'net': ('net.pt', ['net'], 'module.'),
    'network': ('net.bin', ['network'], '_orig_mod.'),
    'state_dict': ('net.ckpt', ['state_dict'], 'model.'),
    'model_state_dict': ('net.pth.tar', ['model_state_dict'], 'module._orig_mod.'),
    'ema': ('net.pth', ['ema'], 'backbone.'),
    'model_ema': ('net.pth', ['model_ema'], 'model.encoder.'),
    'state_dict_ema': ('net.pth', ['state_dict_ema'], '_orig_mod.module.model.backbone.'),
    'twice': ('net.pth', ['ema', 'module'], ''),
    'any name': ('net.pth', ['theta'], ''),
    'none': ('net.bin', [], 'network.'),
}


@pytest.mark.parametrize('legacy', [False, True], ids=['zip', 'legacy'])
@pytest.mark.parametrize('kind', WRAPPED)
def test_wrappers_and_prefixes(kind, legacy, arrays, tmp_path):
    name, keys, prefix = WRAPPED[kind]
    part, storages = part_of(arrays, prefix)
    for key in reversed(keys):
        part = files.mapping({'epoch': files.number(3), key: part})
    files.write(tmp_path / name, part, storages, legacy)
    assert_converted(tmp_path / name, arrays)


def test_a_checkpoint_of_two_models(arrays, tmp_path, caplog):
    doubled = {name: 2 * value for name, value in arrays.items()}
    (plain, storages), (averaged, others) = part_of(arrays), part_of(doubled, 'module.', 1)
    path = tmp_path / 'net.pth'
    files.write(path, files.mapping({'model_ema': averaged, 'model': plain}), {**storages, **others})
    with caplog.at_level(logging.WARNING):
        assert_converted(path, arrays)
    assert 'the state dict model is used; it also holds model_ema' in caplog.text
    assert_converted(path, doubled, state_dict='model_ema')
    with pytest.raises(UsageError, match="no state dict 'best': it holds model_ema, model"):
        read_arrays(path, 'best')
    files.write(path, files.mapping({'net': averaged, 'model': plain}), {**storages, **others})
    with pytest.raises(DataError, match='several state dicts: choose one with --state-dict: net, model'):
        read_arrays(path)


class Settings:
    """A class that the reader does not know, whose instances run code where they are unpickled."""

    def __reduce__(self):
        return print, ('ran',)


class Namespace:
    def __init__(self):
        self.lr, self.parent = 0.1, {'a': (1, 2)}


BESIDE = (
    {'hyper': Settings()},
    {'args': [Namespace()], 'set': {1, 2}, 'bytes': b'abc'},
    {Namespace: 1, 'b': 2},
)
FOREIGN = {
    f'{number}, protocol {protocol}': pickle.dumps(value, protocol)[2 if protocol == 2 else 11 : -1]
    for protocol in (2, 4)
    for number, value in enumerate(BESIDE)
}


@pytest.mark.parametrize('kind', FOREIGN)
def test_a_checkpoint_of_lightning(kind, arrays, tmp_path, capfd):
    """Objects beside the state dict are not made; their classes are never imported."""
    part, storages = part_of(arrays, 'model.')
    files.write(tmp_path / 'a.ckpt', files.mapping({'hyper_parameters': FOREIGN[kind], 'state_dict': part}), storages)
    assert_converted(tmp_path / 'a.ckpt', arrays)
    assert 'ran' not in capfd.readouterr().out


def test_an_object_where_the_parameters_should_be(tmp_path):
    for value in (Settings(), {'model': Settings()}, {'ema': {'module': Settings()}}):
        files.write(tmp_path / 'a.ckpt', pickle.dumps(value, 2)[2:-1], {})
        with pytest.raises(DataError, match=r'asks for (builtins|__builtin__)\.print'):
            read_arrays(tmp_path / 'a.ckpt')


def test_prefixes_that_only_some_names_have(arrays, tmp_path):
    mixed = {**{f'model.{name}': value for name, value in arrays.items()}, 'criterion.weight': np.ones(3)}
    assert without_prefixes(mixed) == mixed
    np.savez(tmp_path / 'a.npz', **mixed)
    with pytest.raises(DataError, match='missing.*unexpected'):
        converted(tmp_path / 'a.npz', NETWORK, 'official', OPTIONS, 3)
    counted = {'n_averaged': np.array(4), **{f'module.{name}': value for name, value in arrays.items()}}
    assert set(without_prefixes(counted)) == set(arrays), 'as torch.optim.swa_utils.AveragedModel saves it'
    assert set(without_prefixes({'a._orig_mod.b': 1, 'c': 2})) == {'a.b', 'c'}
    with pytest.raises(ValueError, match='given twice: a._orig_mod.b and a.b'):
        without_prefixes({'a._orig_mod.b': 1, 'a.b': 2})


HEADS = {
    'another size': {'fc.weight': np.zeros((7, 128)), 'fc.bias': np.zeros(7)},
    'none': {},
    'another name': {'head.fc.weight': np.zeros((3, 128))},
}


@pytest.mark.parametrize('prefix', ['', 'backbone.'])
@pytest.mark.parametrize('kind', HEADS)
def test_another_head(kind, prefix, arrays, tmp_path, caplog):
    body = {name: value for name, value in arrays.items() if not name.startswith('fc.')}
    outside = {} if kind == 'another size' else HEADS[kind]
    inside = {**body, **({} if outside else HEADS[kind])}
    path = tmp_path / 'a.npz'
    np.savez(path, **{prefix + name: value for name, value in inside.items()}, **outside)
    with pytest.raises(DataError) as caught:
        converted(path, NETWORK, 'official', OPTIONS, 3)
    assert ('--no-head' in str(caught.value)) == (not prefix or not outside)
    found = convert.to_arrays(converted(path, NETWORK, 'official', OPTIONS, 3, no_head=True), 'official')
    assert all(np.array_equal(found[name], value) for name, value in body.items())
    assert found['fc.weight'].shape == (3, 128) and found['fc.weight'].any()
    assert 'newly initialized: fc.weight (3, 128) instead of' in caplog.text
    del inside['conv1.weight']
    np.savez(path, **{prefix + name: value for name, value in inside.items()}, **outside)
    with pytest.raises(DataError, match='1 missing: conv1.weight'):
        converted(path, NETWORK, 'official', OPTIONS, 3, no_head=True)


def test_the_command(arrays, tmp_path, cbam_here):
    part, storages = part_of({**arrays, 'fc.weight': np.zeros((7, 128)), 'fc.bias': np.zeros(7)})
    files.write(tmp_path / 'a.ckpt', files.mapping({'state_dict': part}), storages)
    command = ('convert', tmp_path / 'a.ckpt', tmp_path / 'a.params', '--network', NETWORK, '--source', 'official')
    command += ('--option', 'widen=0.25', '--classes', '3')
    done = cbam_here(*command)
    assert (done.returncode, done.stderr.count('\n')) == (4, 1)
    assert not (tmp_path / 'a.params').exists()
    assert cbam_here(*command, '--no-head', '--state-dict', 'state_dict').returncode == 0
    assert (tmp_path / 'a.params').is_file()
    assert cbam_here(*command, '--reverse', '--no-head').returncode == 2


def test_what_torch_writes(arrays, tmp_path):
    torch = pytest.importorskip('torch')
    tensors = {f'module._orig_mod.{name}': torch.tensor(value) for name, value in arrays.items()}
    torch.save({'model': tensors, 'args': Namespace(), 'epoch': 3}, tmp_path / 'a.pth')
    assert_converted(tmp_path / 'a.pth', arrays)
