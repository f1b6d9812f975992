"""Adding local files to the store."""

from dataclasses import replace

import pytest
from shelf import own_card, their_card, zipped

from gluon_cbam import zoo
from gluon_cbam.common.errors import CbamError

BODY = b'weights' * 1000
OURS = b'converted' * 1000


@pytest.fixture
def put(tmp_path):
    """Writes a file of the user."""

    def put(name, body):
        (tmp_path / name).write_bytes(body)
        return tmp_path / name

    return put


@pytest.fixture
def theirs(card):
    return card(their_card(BODY, 'https://host.invalid/a.zip', archive='zip'))


@pytest.mark.parametrize('form', ['packed', 'unpacked'])
def test_an_upstream_file(form, put, theirs):
    file = put('a.zip', zipped(**{'theirs.params': BODY})) if form == 'packed' else put('any.params', BODY)
    added = zoo.add(file, theirs)
    assert added.path.read_bytes() == BODY
    assert added == zoo.fetch(theirs, offline=True)
    assert added.url == str(file)
    assert file.exists()


def test_an_upstream_file_without_a_known_hash_is_pinned(put, card, server):
    unknown = card(their_card(None, server.put('/a.pth', BODY[1:]), name='a.pth', source='official'))
    added = zoo.add(put('b.pth', BODY), unknown)
    assert (added.path.suffix, added.path.read_bytes()) == ('.pth', BODY)
    added.path.unlink()
    with pytest.raises(CbamError, match='the first file of cbamnet_tiny.theirs had'):
        zoo.fetch(unknown)


@pytest.mark.parametrize('archive', ['none', 'zip'])
def test_a_parameter_file(archive, put, card, files):
    own = card(own_card(BODY, original={'name': 'a.params', 'archive': archive}))
    file = put('a.file', BODY if archive == 'none' else zipped(**{'a.params': BODY}))
    for _ in range(2):
        added = zoo.add(file, own)
        assert (added.path, added.sha256, added.bytes) == (zoo.file_of(own), own.sha256, len(BODY))
        assert files() == ['cbamnet_tiny.test.json', 'cbamnet_tiny.test.params']


def test_a_parameter_file_from_another_store(put, theirs, tmp_path):
    zoo.add(put('a.params', BODY), theirs, tmp_path / 'other')
    converted = zoo.get(theirs, tmp_path / 'other', offline=True, convert=lambda *_: put('converted', OURS))
    added = zoo.add(converted, theirs)
    assert added.path == zoo.get(theirs, offline=True) != converted
    assert added.path.with_suffix('.json').read_text() == converted.with_suffix('.json').read_text()

    card = converted.with_suffix('.json')
    card.write_text(card.read_text().replace(theirs.hashes['sha1'], '0' * 40))
    with pytest.raises(CbamError, match=f'was made from a file with the sha1 {"0" * 40}, not'):
        zoo.add(converted, theirs)
    card.write_text(card.read_text().replace('cbamnet_tiny.theirs', 'cbamnet_tiny.others'))
    with pytest.raises(CbamError, match='its card is of cbamnet_tiny.others, not of cbamnet_tiny.theirs'):
        zoo.add(converted, theirs)


def test_a_card_with_other_classes(put, theirs, tmp_path):
    named = replace(theirs, class_names=[str(number) for number in range(10)])
    zoo.add(put('a.params', BODY), named, tmp_path / 'other')
    converted = zoo.get(named, tmp_path / 'other', offline=True, convert=lambda *_: put('converted', OURS))
    exchanged = replace(named, class_names=['1', '0', *named.class_names[2:]])
    with pytest.raises(CbamError, match="class 0 is '0' in .*json, but '1' in the card of cbamnet_tiny.theirs"):
        zoo.add(converted, exchanged)
    assert zoo.add(converted, exchanged, ignore_classes=True).path.is_file()


@pytest.mark.parametrize(
    ('name', 'body', 'message'),
    [
        ('a.params', BODY[1:], 'the sha1 is'),
        ('a.zip', zipped(**{'theirs.params': BODY[1:]}), 'the sha1 is'),
        ('a.zip', zipped(**{'other.params': BODY}), 'holds other.params and not once theirs.params'),
        ('a.zip', zipped(**{'theirs.params': BODY})[:-9], 'the sha1 is'),
        ('a.params', b'', 'the sha1 is'),
    ],
)
def test_another_file(name, body, message, put, theirs, files):
    good = zoo.add(put('good.params', BODY), theirs)
    with pytest.raises(CbamError, match=f'{name}: {message}') as caught:
        zoo.add(put(name, body), theirs)
    assert (caught.value.exit_code, '\n' in str(caught.value)) == (4, False)
    assert zoo.fetch(theirs, offline=True) == good
    assert len(files()) == 2


def test_no_file(theirs):
    with pytest.raises(CbamError, match="no file 'none'") as caught:
        zoo.add('none', theirs)
    assert caught.value.exit_code == 2
