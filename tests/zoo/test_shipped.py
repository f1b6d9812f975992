"""The weights that come with the package: whole, scored as their cards say, and there without a network."""

import configparser
import json
from fnmatch import fnmatch
from pathlib import Path

import pytest

from gluon_cbam import zoo
from gluon_cbam.common.files import sha256
from gluon_cbam.zoo.store import SHIPPED, read_card

ROOT = Path(__file__).parent.parent.parent
OWN = [card for card in zoo.cards() if (SHIPPED / f'{card.tag}.params').is_file()]

cards = pytest.mark.parametrize('card', OWN, ids=[card.tag for card in OWN])


def test_there_are_two():
    assert {card.network for card in OWN} == {'cbamnet_tiny', 'cifar_cbam_resnet18'}


@cards
def test_a_card_and_its_files(card):
    path = SHIPPED / f'{card.tag}.params'
    assert (sha256(path), path.stat().st_size) == (card.sha256, card.bytes)
    assert card.default
    assert card.metrics.measured_by == 'verified'
    beside = read_card(path)
    assert (beside.sha256, beside.preprocessing, beside.class_names) == (
        card.sha256,
        card.preprocessing,
        [str(digit) for digit in range(10)],
    )
    log = (SHIPPED / f'{card.tag}.log').read_text()
    assert log.splitlines()[0] == card.command
    assert 'validation loss' in log
    for part in ('/home/', '/root/', '/tmp/'):
        assert part not in log + json.dumps(card.as_dict())


@cards
def test_the_package_takes_its_files(card):
    setup = configparser.ConfigParser()
    setup.read(ROOT / 'setup.cfg')
    patterns = setup['options.package_data']['gluon_cbam.zoo'].split()
    for path in (*SHIPPED.glob(f'{card.tag}.*'), SHIPPED.parent / 'cards' / f'{card.tag}.yaml'):
        name = str(path.relative_to(SHIPPED.parent))
        assert any(fnmatch(name, pattern) for pattern in patterns), name


@cards
def test_the_score_is_that_of_the_card(card, digits, cbam_here, monkeypatch):
    monkeypatch.setenv('CBAM_ZOO_OFFLINE', '1')
    process = cbam_here('zoo', 'verify', card.tag, '--data-val', digits / 'val.rec', '--json')
    assert process.returncode == 0, process.stderr
    (value,) = json.loads(process.stdout)['weights']
    assert value['agrees']
    assert value['metrics']['top1'] > 0.95


@cards
def test_a_new_user_without_a_network(card, cbam, python, tmp_path):
    """Neither a store nor a connection: the file of the package is used where it lies."""
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
