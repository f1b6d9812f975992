"""This project's weights: intact, with the scores of their cards, usable offline; large files are in a release."""

import configparser
import json
from fnmatch import fnmatch
from pathlib import Path

import mxnet as mx
import pytest

from gluon_cbam import get_model, zoo
from gluon_cbam.common.files import sha256
from gluon_cbam.data.datasets.fashion import PACKAGE, installed, write_fashion
from gluon_cbam.zoo import store, upstream, verified
from gluon_cbam.zoo.store import SHIPPED, read_card

ROOT = Path(__file__).parent.parent.parent
OWN = [card for card in zoo.cards() if (SHIPPED / f'{card.tag}.params').is_file()]

FASHION = ['T-shirt/top', 'Trouser', 'Pullover', 'Dress', 'Coat', 'Sandal', 'Shirt', 'Sneaker', 'Bag', 'Ankle boot']
DIGITS = [card for card in OWN if card.tag.endswith('.digits')]

cards = pytest.mark.parametrize('card', OWN, ids=[card.tag for card in OWN])


@pytest.mark.parametrize('tag', ['cifar_cbam_resnet34', 'cifar_resnet34.fashion_small', 'cifar_se_resnet34'])
def test_a_small_network_of_fashion_mnist_by_name(tag, monkeypatch, tmp_path):
    """Its options are those of the card: an eighth of the width, gray."""
    monkeypatch.setenv('CBAM_HOME', str(tmp_path))
    monkeypatch.setenv('CBAM_ZOO_OFFLINE', '1')
    net = get_model(tag.partition('.')[0], pretrained=tag if '.' in tag else True)
    assert net.stage_channels == (8, 16, 32, 64)
    assert net(mx.nd.zeros((1, 1, 28, 28))).shape == (1, 10)


def test_the_script_trains_each(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / 'scripts'))
    from train_zoo import WEIGHTS

    assert {(card.tag, card.network, card.default) for card in OWN} == {
        (row.tag, row.network, row.default) for row in WEIGHTS.values()
    }


@cards
def test_a_card_and_its_files(card):
    path = SHIPPED / f'{card.tag}.params'
    assert (sha256(path), path.stat().st_size) == (card.sha256, card.bytes)
    assert card.default
    assert card.metrics.measured_by == 'verified'
    assert card.metrics.records == (360 if card in DIGITS else 10_000)
    local = read_card(path)
    assert (local.sha256, local.preprocessing, local.class_names) == (
        card.sha256,
        card.preprocessing,
        [str(digit) for digit in range(10)] if card in DIGITS else FASHION,
    )
    log = (SHIPPED / f'{card.tag}.log').read_text()
    assert log.splitlines()[0] == card.command
    assert ('validation loss' in log) == (card in DIGITS)  # the others were not validated while training
    for part in ('/home/', '/root/', '/tmp/'):
        assert part not in log + json.dumps(card.as_dict())


@cards
def test_a_wheel_contains_the_card_and_files_below_a_megabyte(card):
    setup = configparser.ConfigParser()
    setup.read(ROOT / 'setup.cfg')
    patterns = setup['options.package_data']['gluon_cbam.zoo'].split()

    def is_taken(path):
        return any(fnmatch(str(path.relative_to(SHIPPED.parent)), pattern) for pattern in patterns)

    small = (SHIPPED / f'{card.tag}.params').stat().st_size < 2**20
    assert [is_taken(path) for path in SHIPPED.glob(f'{card.tag}.*')] == [small] * 3
    assert is_taken(SHIPPED.parent / 'cards' / f'{card.tag}.yaml')
    assert card.original.addresses == (f'{setup["metadata"]["url"]}/releases/{card.tag}.params',)


class TestFromARelease:
    """A wheel does not contain the large weights; here, a local server has them."""

    tag = 'cifar_cbam_resnet18.digits'

    @pytest.fixture(autouse=True)
    def wheel(self, tmp_path, monkeypatch):
        for module in (store, verified):
            monkeypatch.setattr(module, 'SHIPPED', tmp_path / 'of a wheel')

    @pytest.fixture
    def release(self, server, monkeypatch):
        monkeypatch.setenv('CBAM_ZOO_MIRROR', f'{server.url}/releases')
        return server

    def test_get(self, release, run, home):
        body = (SHIPPED / f'{self.tag}.params').read_bytes()
        release.put(f'/releases/{self.tag}.params', body)
        code, output, _ = run('get', 'cifar_cbam_resnet18', '--json')
        got = json.loads(output)
        assert (code, got['path'], got['cached']) == (0, str(home / f'{self.tag}.params'), False)
        assert got['sha256'] == sha256(home / f'{self.tag}.params') == sha256(SHIPPED / f'{self.tag}.params')
        made_from = read_card(home / f'{self.tag}.params').provenance
        assert made_from['address'] == f'{release.url}/releases/{self.tag}.params'
        assert json.loads(run('get', 'cifar_cbam_resnet18', '--json', '--offline')[1])['cached']
        assert json.loads(run('verify', self.tag, '--json')[1])['weights'][0]['tag'] == self.tag
        assert len(release.requests) == 1

    def test_pretrained(self, release, home):
        release.put(f'/releases/{self.tag}.params', (SHIPPED / f'{self.tag}.params').read_bytes())
        net = get_model('cifar_cbam_resnet18', pretrained=True)
        assert net(mx.nd.zeros((1, 3, 16, 16))).shape == (1, 10)
        assert (home / f'{self.tag}.params').is_file()

    def test_another_file_is_refused(self, release, run, files, monkeypatch):
        monkeypatch.setattr(upstream, '_urls', lambda card: [f'{release.url}/releases/{self.tag}.params'])
        release.put(f'/releases/{self.tag}.params', b'x' * 22_559_588)
        code, _, error = run('get', self.tag)
        assert (code, error.count('\n'), 'sha256' in error, files()) == (4, 1, True, [])

    def test_a_release_that_is_gone(self, release, run, monkeypatch):
        monkeypatch.setattr(upstream, '_urls', lambda card: [f'{release.url}/releases/{self.tag}.params'])
        code, _, error = run('get', self.tag)
        assert (code, error.count('\n'), 'the server says 404' in error) == (5, 1, True)
        assert error.endswith('name a mirror in CBAM_ZOO_MIRROR, or give --params FILE\n')

    def test_offline(self, release, run, home):
        code, _, error = run('get', self.tag, '--offline')
        assert (code, release.requests) == (5, [])
        assert error == (
            f"cbam: {self.tag} is not in {home}, and offline nothing is downloaded: run 'cbam zoo get {self.tag}' on a "
            f"machine that is online, copy its files, and run 'cbam zoo add FILE {self.tag}' here; or name a mirror in "
            'CBAM_ZOO_MIRROR, or give --params FILE\n'
        )


@pytest.mark.parametrize('card', DIGITS, ids=[card.tag for card in DIGITS])
def test_the_score_equals_the_card(card, digits, cbam_here, monkeypatch):
    monkeypatch.setenv('CBAM_ZOO_OFFLINE', '1')
    process = cbam_here('zoo', 'verify', card.tag, '--data-val', digits / 'val.rec', '--json')
    assert process.returncode == 0, process.stderr
    (value,) = json.loads(process.stdout)['weights']
    assert value['agrees']
    assert value['metrics']['top1'] > 0.95


@pytest.fixture(scope='module')
def fashion(tmp_path_factory):
    """The folder of the records of Fashion-MNIST."""
    folder = tmp_path_factory.mktemp('fashion')
    write_fashion(installed(), folder)
    return folder


@pytest.mark.slow
@pytest.mark.skipif(installed() is None, reason=f'the package {PACKAGE} is not installed')
def test_the_scores_on_fashion_mnist_equal_the_cards(fashion, cbam_here, monkeypatch):
    monkeypatch.setenv('CBAM_ZOO_OFFLINE', '1')
    tags = [card.tag for card in OWN if card not in DIGITS]
    process = cbam_here('zoo', 'verify', *tags, '--data-val', fashion / 'val.rec', '--json')
    assert process.returncode == 0, process.stderr
    weights = json.loads(process.stdout)['weights']
    assert [(value['tag'], value['agrees']) for value in weights] == [(tag, True) for tag in tags]
    for value in weights:
        assert value['metrics']['top1'] >= 0.93


@pytest.mark.parametrize('card', DIGITS, ids=[card.tag for card in DIGITS])
def test_a_new_user_without_a_network(card, cbam, python, tmp_path):
    """Without store and connection, the file in the package is used directly."""
    environment = {'HOME': str(tmp_path), 'CBAM_HOME': '', 'MXNET_HOME': '', 'CBAM_ZOO_OFFLINE': '1'}
    code = f"""
import gluon_cbam, mxnet as mx
net = gluon_cbam.get_model({card.network!r}, pretrained=True)
print(net(mx.nd.zeros((1, 3, 16, 16))).shape)
"""
    assert python(code, env=environment).stdout.strip() == '(1, 10)'
    seven = ROOT / 'tests' / 'data' / 'seven.png'
    process = cbam('predict', seven, '--network', card.network, '--pretrained', '--json', env=environment)
    assert json.loads(process.stdout)['images'][0]['top'][0]['label'] == '7'
    assert list(tmp_path.rglob('*.params')) == []
