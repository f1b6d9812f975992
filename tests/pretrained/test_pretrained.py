"""Published weights of every kind, from a web server to a network that computes what its source computes."""

import functools
import hashlib
import io
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import checks
import mxnet as mx
import numpy as np
import pytest
import torch_files
import yaml
from golden import Golden

from gluon_cbam import get_model, weights, zoo
from gluon_cbam.common.errors import DataError, TransferError, UsageError
from gluon_cbam.common.files import sha256
from gluon_cbam.inference.network import load_network
from gluon_cbam.pretrained import locate

PREPROCESSING = {'image_size': 32, 'mean': [0.5, 0.5, 0.5], 'std': [0.2, 0.2, 0.2]}


def zipped(name, data):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, 'w', zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr(name, data)
    return buffer.getvalue()


def imgclsmob(folder):
    """As osmr/imgclsmob publishes weights: zipped Gluon parameters with the sha1 in their name; and their network."""
    theirs = checks.fill(pytest.importorskip('gluoncv2.model_provider').get_model('cbam_resnet18', classes=10))
    theirs.save_parameters(str(folder / 'x.params'))
    data = (folder / 'x.params').read_bytes()
    sha1 = hashlib.sha1(data).hexdigest()
    name = f'cbam_resnet18-0488-{sha1[:8]}.params'
    original = {'name': name, 'archive': 'zip', 'sha1': sha1, 'conversion': 'imgclsmob'}
    x = np.random.RandomState(0).randn(1, 3, 224, 224).astype('float32')
    return 'cbam_resnet18', f'{name}.zip', zipped(name, data), original, x, theirs(mx.nd.array(x)).asnumpy()


def official(folder, legacy):
    """As the official code saves a checkpoint: a DataParallel's state_dict; its publisher gives no hash."""
    golden = Golden('official_cifar10_cbam_18')
    arrays = {f'module.{name}': value for name, value in golden.arrays.items()}
    torch_files.write_state_dict(folder / 'x.pth', arrays, legacy)
    data = (folder / 'x.pth').read_bytes()
    original = {'name': 'CBAM.pth', 'conversion': 'official'}
    return 'cifar_cbam_resnet18', 'CBAM.pth', data, original, golden.input, golden.output


def ours(folder):
    """As this project publishes weights: a parameter file as it is."""
    net = checks.fill(get_model('cbamnet_tiny', classes=10))
    net.save_parameters(str(folder / 'x.params'))
    x = np.random.RandomState(0).randn(2, 3, 16, 16).astype('float32')
    data = (folder / 'x.params').read_bytes()
    return 'cbamnet_tiny', 'x.params', data, {'name': 'x.params'}, x, net(mx.nd.array(x)).asnumpy()


KINDS = {
    'imgclsmob': imgclsmob,
    'official': lambda folder: official(folder, legacy=False),
    'official_2018': lambda folder: official(folder, legacy=True),
    'own': ours,
}


@pytest.fixture(scope='module')
def made(tmp_path_factory):
    """Makes the files of a kind of weights, once."""
    return functools.lru_cache(maxsize=None)(lambda kind: KINDS[kind](tmp_path_factory.mktemp(kind)))


class Shop:
    """A kind of weights on a server, in a registry file, with an empty store."""

    def __init__(self, kind, made, folder, server):
        network, name, self.data, original, self.x, self.expected = made
        self.path, self.server = f'/{name}', server
        self.tag, self.network, self.root = f'{network}.{kind}', network, folder / 'store'
        address = server.put(self.path, self.data)
        self.card = {
            'tag': self.tag, 'network': network, 'classes': 10, 'preprocessing': PREPROCESSING, 'source': 'a test',
            'original': {**original, 'addresses': [address]}, 'metrics': {'top1': 0.5, 'data': 'noise'},
            'default': True,
        }  # fmt: skip
        if kind == 'own':
            self.card.update(sha256=hashlib.sha256(self.data).hexdigest(), bytes=len(self.data))
        self.registry = folder / 'registry.yaml'
        self.write(self.card)

    def write(self, card):
        self.registry.write_text(yaml.safe_dump([card]))

    def files(self):
        """What a user may find in the store: no locks, no records of downloads."""
        return sorted(path.name for path in self.root.glob('*') if not path.name.startswith('.') and path.is_file())


@pytest.fixture
def shop(request, made, tmp_path, server, monkeypatch):
    monkeypatch.setenv('CBAM_ZOO_REGISTRY', str(tmp_path / 'registry.yaml'))
    return Shop(request.param, made(request.param), tmp_path, server)


def of_kinds(*kinds):
    return pytest.mark.parametrize('shop', kinds, indirect=True)


@of_kinds(*KINDS)
def test_get(shop, monkeypatch):
    """Downloaded once, converted, computing what its source computes; then here without a network."""
    monkeypatch.setenv('CBAM_ZOO_OFFLINE', '1')
    with pytest.raises(TransferError, match='offline nothing is downloaded') as caught:
        locate.locate(shop.network, shop.tag, shop.root)
    assert caught.value.exit_code == 5
    monkeypatch.delenv('CBAM_ZOO_OFFLINE')
    found = locate.locate(shop.network, shop.tag, shop.root)
    assert found.path == shop.root / f'{shop.tag}.params'
    assert shop.files() == [f'{shop.tag}.json', f'{shop.tag}.params']
    made_from, original = found.card.provenance, shop.card['original']
    assert found.card.sha256 == sha256(found.path)
    assert made_from['address'] == shop.server.url + shop.path
    assert made_from['conversion'] == original.get('conversion', 'none')
    assert made_from['sha1'] == original.get('sha1', made_from['sha1'])

    monkeypatch.setenv('CBAM_ZOO_OFFLINE', '1')
    assert locate.locate(shop.network, True, shop.root) == found
    plain = get_model(shop.network, classes=10)
    plain.load_parameters(str(found.path))  # as any Gluon user would
    output = plain(mx.nd.array(shop.x)).asnumpy()
    assert np.abs(output - shop.expected).max() <= 1e-5 * max(1, np.abs(shop.expected).max())
    assert len(shop.server.asked(shop.path)) == 1


@of_kinds('own')
def test_networks_with_published_weights(shop):
    net = get_model(shop.network, pretrained=shop.tag, root=shop.root)
    assert np.array_equal(net(mx.nd.array(shop.x)).asnumpy(), shop.expected)
    loaded = load_network(shop.network, [mx.cpu()], pretrained=shop.tag, root=shop.root)
    assert (loaded.params_sha256, loaded.preprocessing.image_size) == (shop.card['sha256'], 32)
    assert np.array_equal(loaded.net(mx.nd.array(shop.x)).asnumpy(), shop.expected)


@of_kinds('imgclsmob', 'official', 'own')
def test_garbage(shop):
    """A download that differs from the card is an error of one line; the store keeps nothing, not even a first hash."""
    good = shop.data
    for garbage in (b'<html>404 Not Found</html>', good[:-1000]):
        shop.server.put(shop.path, garbage)
        with pytest.raises(DataError) as caught:
            locate.locate(shop.network, shop.tag, shop.root)
        assert '\n' not in str(caught.value)
        assert shop.files() == []
        assert not list((shop.root / 'originals').glob('[!.]*'))
    shop.server.put(shop.path, good)
    assert zoo.fetch(zoo.find(shop.tag), shop.root).bytes > 0, 'the hash of garbage is not remembered'


@pytest.mark.parametrize(
    ('changes', 'error', 'message'),
    [
        ({'classes': 7}, DataError, r'fc.weight \(10, 512\) instead of \(7, 512\)'),
        ({'options': {'reduktion': 4}}, DataError, "has no option 'reduktion'"),
        ({'network': 'cifar_resnet5', 'tag': 'cifar_resnet5.x'}, UsageError, "unknown network 'cifar_resnet5'"),
    ],
)
@of_kinds('official')
def test_a_card_that_does_not_fit_its_file(shop, changes, error, message):
    shop.write({**shop.card, **changes})
    with pytest.raises(error, match=message):
        locate.get(zoo.find(changes.get('tag', shop.tag)), shop.root)
    assert shop.files() == []


@of_kinds('official')
def test_names(shop):
    for network, pretrained, message in (
        ('cbam_resnet18', shop.tag, 'are of cifar_cbam_resnet18, not of cbam_resnet18'),
        ('cifar_cbam_resnet18', 'cifar_cbam_resnet18.offical', shop.tag),
        ('cifar_cbam_resnet18', 'none.params', 'no parameter file'),
        ('modified_cbamnet18', True, "no weights are published for 'modified_cbamnet18'"),
    ):
        with pytest.raises(UsageError, match=message) as caught:
            get_model(network, pretrained=pretrained, root=shop.root)
        assert caught.value.exit_code == 2
    assert shop.server.requests == []


def test_classes_and_options_come_from_the_card(tmp_path):
    net = get_model('cbamnet_tiny', classes=3, reduction=4)
    net.initialize()
    path = tmp_path / 'net.params'
    weights.save(net, path, network='cbamnet_tiny', classes=3, options={'reduction': 4}, preprocessing=PREPROCESSING)
    assert get_model('cbamnet_tiny', pretrained=str(path)).fc.weight.shape[0] == 3
    assert get_model('cbamnet_tiny', pretrained=str(path), classes=5).fc.weight.shape[0] == 5


@pytest.mark.slow
@of_kinds('official')
def test_processes_convert_once(shop):
    program = str(Path(sys.executable).parent / 'cbam')
    command = [program, 'zoo', 'get', shop.tag, '--root', str(shop.root), '--json']
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    values = [json.loads(process.communicate(timeout=200)[0]) for process in running]
    path = shop.root / f'{shop.tag}.params'
    for value in values:
        value.pop('cached')  # one of them may have come late
        assert value == {'path': str(path), 'sha256': sha256(path), 'bytes': path.stat().st_size}
    assert shop.server.sent(shop.path) == [len(shop.data)]
    assert not list((shop.root / 'originals').glob('.converted-*'))
