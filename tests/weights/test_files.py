"""Parameter files: strict loading, and the check against the card."""

import json

import mxnet as mx
import numpy as np
import pytest
from full_disk import files_up_to

from gluon_cbam import get_model, weights
from gluon_cbam.common.errors import DataError, TransferError, UsageError
from gluon_cbam.common.files import sha256
from gluon_cbam.inference.network import load_network

PREPROCESSING = {
    'image_size': 16, 'crop_ratio': 0.9, 'mean': [0.5, 0.5, 0.5], 'std': [0.2, 0.2, 0.2], 'interpolation': 'bilinear',
}  # fmt: skip


def network(classes=3, **options):
    net = get_model('cbamnet_tiny', classes=classes, **options)
    net.initialize()
    return net


@pytest.fixture
def saved(tmp_path):
    net = network(reduction=4)
    path = tmp_path / 'best.params'
    weights.save(
        net, path, network='cbamnet_tiny', classes=3, options={'reduction': 4}, preprocessing=PREPROCESSING,
        class_names=['a', 'b', 'c'],
    )  # fmt: skip
    return net, path


def test_the_fields_of_a_card(saved):
    net, path = saved
    loaded = load_network('cbamnet_tiny', [mx.cpu()], params=str(path))
    assert (loaded.classes, loaded.class_names) == (3, ['a', 'b', 'c'])
    assert loaded.preprocessing.as_dict() == PREPROCESSING
    assert loaded.params_sha256 == sha256(path)
    x = mx.nd.random.normal(shape=(1, 3, 16, 16))
    assert np.array_equal(loaded.net(x).asnumpy(), net(x).asnumpy())
    assert load_network('cbamnet_tiny', [mx.cpu()], params=str(path), image_size=24).preprocessing.image_size == 24


def test_any_gluon_user_can_load_the_file(saved):
    net, path = saved
    other = get_model('cbamnet_tiny', classes=3, reduction=4)
    other.load_parameters(str(path))
    x = mx.nd.random.normal(shape=(1, 3, 16, 16))
    assert np.array_equal(other(x).asnumpy(), net(x).asnumpy())


def test_another_network_is_refused(saved):
    with pytest.raises(DataError, match='holds weights of cbamnet_tiny, not of cifar_resnet18'):
        load_network('cifar_resnet18', [mx.cpu()], params=str(saved[1]))
    with pytest.raises(UsageError, match='exclude each other'):
        load_network('cbamnet_tiny', [mx.cpu()], params=str(saved[1]), pretrained=True)


def test_one_changed_byte_is_noticed(saved):
    _, path = saved
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))
    with pytest.raises(DataError, match='best.params has the SHA-256 .* its card best.json states'):
        load_network('cbamnet_tiny', [mx.cpu()], params=str(path))


@pytest.mark.parametrize('card', ['{', '[]', '{"network": "x"}', '{"foo": 1}'])
def test_a_damaged_card_is_noticed(saved, card):
    _, path = saved
    path.with_suffix('.json').write_text(card)
    with pytest.raises(DataError, match='best.json: '):
        weights.read_card(path)


def spoiled(path, kind):
    net = network()
    if kind == 'garbage':
        path.write_bytes(np.random.RandomState(0).bytes(5000))
    elif kind == 'text':
        path.write_text('<html>not found</html>')
    elif kind == 'empty':
        path.touch()
    elif kind == 'truncated':
        net.save_parameters(str(path))
        path.write_bytes(path.read_bytes()[:-100])
    elif kind == 'nan':
        net.fc.weight.set_data(net.fc.weight.data() * float('nan'))
        net.save_parameters(str(path))
    elif kind == 'list':
        mx.nd.save(str(path), [mx.nd.zeros(3)])
    elif kind == 'exported':
        net.hybridize()
        net(mx.nd.zeros((1, 3, 8, 8)))
        net.export(str(path.with_suffix('')))
        (path.parent / f'{path.stem}-0000.params').rename(path)


@pytest.mark.parametrize(
    ('kind', 'message'),
    [
        ('garbage', 'not a parameter file'),
        ('text', 'not a parameter file'),
        ('empty', 'not a parameter file'),
        ('truncated', 'not a parameter file'),
        ('nan', 'fc.weight holds values that are not finite'),
        ('list', 'without names'),
        ('exported', 'belongs to an exported symbol'),
    ],
)
def test_bad_files_change_nothing(tmp_path, kind, message):
    path = tmp_path / 'bad.params'
    spoiled(path, kind)
    net = network()
    before = net.fc.weight.data().asnumpy()
    with pytest.raises(DataError, match=message) as caught:
        weights.load(net, path)
    assert str(path) in str(caught.value)
    assert '\n' not in str(caught.value)
    assert np.array_equal(net.fc.weight.data().asnumpy(), before)


def test_a_failed_save_leaves_the_old_file(saved, monkeypatch):
    net, path = saved
    before = path.read_bytes(), path.with_suffix('.json').read_text()

    def full_disk(name, arrays):
        with open(name, 'w') as file:
            file.write('half')
        raise OSError('no space left')

    monkeypatch.setattr(mx.nd, 'save', full_disk)
    with pytest.raises(OSError, match='no space'):
        weights.save(net, path, network='cbamnet_tiny', classes=3, preprocessing=PREPROCESSING)
    assert (path.read_bytes(), path.with_suffix('.json').read_text()) == before
    assert len(list(path.parent.iterdir())) == 2


def test_the_card_is_plain_json(saved):
    card = json.loads(saved[1].with_suffix('.json').read_text())
    assert (card['network'], card['options'], card['bytes']) == (
        'cbamnet_tiny',
        {'reduction': 4},
        saved[1].stat().st_size,
    )


def test_why_a_saved_file_is_checked(tmp_path):
    """MXNet does not notice that the last bytes were not written."""
    path = tmp_path / 'a.params'
    mx.nd.save(str(path), {'a': mx.nd.ones(100)})
    size = path.stat().st_size
    with files_up_to(size - 50):
        mx.nd.save(str(path), {'a': mx.nd.ones(100)})
    assert path.stat().st_size == size - 50


@pytest.mark.parametrize('missing', [1, 50, 5000, 20_000])
def test_a_full_disk_leaves_the_old_parameters(saved, missing):
    """From the last byte, which MXNet drops silently, to the first ones, of which it gives no reason."""
    net, path = saved
    before = {file.name: file.read_bytes() for file in path.parent.iterdir()}
    limit = max(path.stat().st_size - missing, 0)
    with files_up_to(limit), pytest.raises(TransferError) as caught:
        weights.save(net, path, network='cbamnet_tiny', classes=3, preprocessing=PREPROCESSING)
    assert str(caught.value).startswith(f'{path} was not written: File too large; nothing of it is left')
    assert {file.name: file.read_bytes() for file in path.parent.iterdir()} == before
