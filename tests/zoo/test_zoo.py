"""Cards and files."""

import hashlib
import os

import pytest
import yaml

import zoo
from zoo import registry
from zoo.files import atomic_path, sha256, write_text

CARD = {
    'network': 'cbamnet_tiny', 'classes': 10, 'sha256': hashlib.sha256(b'weights').hexdigest(), 'bytes': 7,
    'preprocessing': {'image_size': 16}, 'tag': 'cbamnet_tiny.test', 'metrics': {'top1': 0.5}, 'source': 'a test',
}  # fmt: skip


@pytest.fixture
def shelf(tmp_path, monkeypatch):
    """A zoo of one card in a folder of its own; returns a function that adds another."""
    monkeypatch.setattr(registry, '_HERE', tmp_path)
    (tmp_path / 'files').mkdir()
    (tmp_path / 'cards').mkdir()

    def add(name, **changes):
        (tmp_path / 'cards' / f'{name}.yaml').write_text(yaml.safe_dump({**CARD, **changes}))

    add('a')
    (tmp_path / 'files' / 'cbamnet_tiny.test.params').write_bytes(b'weights')
    return tmp_path, add


def test_the_shipped_cards_are_true():
    for card in zoo.cards():
        path = zoo.file_of(card)
        assert path.stat().st_size == card.bytes
        assert card.tag.startswith(f'{card.network}.')


def test_find(shelf):
    folder, add = shelf
    assert zoo.find('cbamnet_tiny') == zoo.find('cbamnet_tiny.test') == zoo.cards()[0]
    assert zoo.file_of(zoo.find('cbamnet_tiny')).read_bytes() == b'weights'
    with pytest.raises(zoo.ZooError, match="no weights are published for 'x': known: cbamnet_tiny.test") as caught:
        zoo.find('x')
    assert caught.value.exit_code == 2
    add('b', tag='cbamnet_tiny.other')
    with pytest.raises(zoo.ZooError, match='several weights: say which of cbamnet_tiny.test, cbamnet_tiny.other'):
        zoo.find('cbamnet_tiny')
    assert len(zoo.cards('cbamnet_tiny')) == 2
    assert zoo.cards('other') == []
    add('c')
    with pytest.raises(zoo.ZooError, match="the tag 'cbamnet_tiny.test' is taken"):
        zoo.cards()


def test_root_is_looked_into_first(shelf, tmp_path_factory):
    root = tmp_path_factory.mktemp('root')
    (root / 'cbamnet_tiny.test.params').write_bytes(b'weights')
    assert zoo.file_of(zoo.cards()[0], root).parent == root


def test_a_file_that_is_not_the_cards(shelf):
    folder, _ = shelf
    (folder / 'files' / 'cbamnet_tiny.test.params').write_bytes(b'weighty')
    with pytest.raises(zoo.ZooError, match=f'{CARD["sha256"]}: the file is damaged') as caught:
        zoo.file_of(zoo.cards()[0])
    assert caught.value.exit_code == 4


@pytest.mark.parametrize(
    ('values', 'said'),
    [
        (None, 'unknown: NoneType'),
        ({**CARD, 'colour': 'red'}, 'unknown: colour'),
        ({'network': 'a'}, 'missing'),
        ({**CARD, 'bytes': '7'}, "bytes must be int, got '7'"),
    ],
)
def test_damaged_cards(values, said):
    with pytest.raises(zoo.ZooError, match=f'card.yaml: .*{said}'):
        zoo.Card.from_dict(values, 'card.yaml')


def test_card_round_trip():
    card = zoo.Card.from_dict(CARD, 'x')
    assert zoo.Card.from_dict(card.as_dict(), 'x') == card


def test_atomic_writing(tmp_path):
    path = tmp_path / 'a.txt'
    write_text(path, 'old')
    with pytest.raises(KeyError), atomic_path(path) as temporary:
        temporary.write_text('half')
        raise KeyError
    assert path.read_text() == 'old'
    with atomic_path(path) as temporary:
        temporary.write_text('new')
        assert path.read_text() == 'old'
    assert path.read_text() == 'new'
    assert os.listdir(tmp_path) == ['a.txt']
    assert sha256(path) == hashlib.sha256(b'new').hexdigest()
    umask = os.umask(0)
    os.umask(umask)
    assert path.stat().st_mode & 0o777 == 0o666 & ~umask


def test_the_zoo_stands_alone(python):
    process = python('import zoo, sys; print({"mxnet", "gluon_cbam"} & set(sys.modules) or "alone")')
    assert process.stdout.strip() == 'alone'
