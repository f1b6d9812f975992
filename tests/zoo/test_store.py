"""The store: its files and their names."""

import hashlib
import json
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from shelf import own_card, their_card, zipped

from gluon_cbam import zoo
from gluon_cbam.common.errors import CbamError
from gluon_cbam.zoo import Card, store
from gluon_cbam.zoo.location import root_of

BODY = b'weights' * 1000
OURS = b'converted' * 1000


@pytest.fixture
def theirs(server, card):
    """A card with a zip file on the server."""
    address = server.put('/a.zip', zipped(**{'theirs.params': BODY}))
    return card({**their_card(BODY, address, archive='zip'), 'metrics': {'top1': 0.5, 'note': 'a note'}})


@pytest.fixture
def convert(tmp_path):
    """A conversion that writes a given file, and records its arguments."""

    def convert(card, original):
        convert.calls.append(original)
        (tmp_path / 'converted').write_bytes(OURS)
        return tmp_path / 'converted'

    convert.calls = []
    return convert


def test_the_folder(monkeypatch, tmp_path, home):
    assert root_of('/x') != root_of() == home
    assert str(root_of('/x')) == '/x'
    monkeypatch.setenv('MXNET_HOME', str(tmp_path / 'mxnet'))
    assert root_of() == home
    monkeypatch.delenv('CBAM_HOME')
    assert root_of() == tmp_path / 'mxnet' / 'models'
    monkeypatch.delenv('MXNET_HOME')
    monkeypatch.setenv('HOME', str(tmp_path))
    assert root_of() == tmp_path / '.mxnet' / 'models'


def test_get_converts_once(theirs, convert, home, files, server):
    assert zoo.cached(theirs) is None
    assert not zoo.is_cached(theirs)
    for _ in range(2):
        assert zoo.get(theirs, convert=convert) == home / 'cbamnet_tiny.theirs.params'
    assert (len(convert.calls), len(server.requests)) == (1, 1)
    (original,) = convert.calls
    assert original.path.read_bytes() == BODY
    assert original[1:] == (hashlib.sha256(BODY).hexdigest(), len(BODY), f'{server.url}/a.zip')
    assert zoo.is_cached(theirs)
    assert zoo.file_of(theirs).read_bytes() == OURS
    names = ['cbamnet_tiny.theirs.json', 'cbamnet_tiny.theirs.params']
    assert files() == [*names, *(f'originals/{name}' for name in names)]

    own = Card.from_dict(json.loads((home / names[0]).read_text()), names[0])
    assert (own.sha256, own.bytes) == (hashlib.sha256(OURS).hexdigest(), len(OURS))
    assert (own.tag, own.network, own.metrics) == (
        theirs.tag, 'cbamnet_tiny', {'top1': 0.5, 'measured_by': 'publisher', 'note': 'a note'},
    )  # fmt: skip
    made_from = {
        name: own.provenance[name] for name in ('original', 'sha1', 'sha256', 'bytes', 'address', 'conversion')
    }
    assert made_from == {
        'original': 'theirs.params', 'sha1': hashlib.sha1(BODY).hexdigest(), 'bytes': len(BODY),
        'sha256': hashlib.sha256(BODY).hexdigest(), 'address': f'{server.url}/a.zip', 'conversion': 'imgclsmob',
    }  # fmt: skip


def test_threads_fetch_once(theirs, server):
    with ThreadPoolExecutor(4) as pool:
        fetched = list(pool.map(lambda _: zoo.fetch(theirs), range(4)))
    assert len(set(fetched)) == len(server.requests) == 1


def test_a_failed_conversion_places_nothing(theirs, files):
    def fails(card, original):
        raise KeyError

    with pytest.raises(KeyError):
        zoo.get(theirs, convert=fails)
    assert files() == ['originals/cbamnet_tiny.theirs.json', 'originals/cbamnet_tiny.theirs.params']


@pytest.mark.parametrize('damaged', ['params', 'json', 'no json', 'other tag'])
def test_a_damaged_file_is_replaced(damaged, theirs, convert, home, server, caplog):
    path = zoo.get(theirs, convert=convert)
    own = path.with_suffix('.json')
    if damaged == 'params':
        path.write_bytes(OURS[:-1])
    elif damaged == 'json':
        own.write_text('{')
    elif damaged == 'no json':
        own.unlink()
    else:
        own.write_text(own.read_text().replace('cbamnet_tiny.theirs', 'cbamnet_tiny.others'))
    assert zoo.cached(theirs) is None
    assert str(path.with_suffix('')) in caplog.text
    with pytest.raises(CbamError, match='is not in .*: cbam zoo get cbamnet_tiny.theirs'):
        zoo.file_of(theirs)
    zoo.get(theirs, convert=convert)
    assert zoo.file_of(theirs).read_bytes() == OURS
    assert len(server.requests) == 1, 'the original was there'


def test_a_damaged_upstream_file_is_downloaded_again(theirs, server):
    path = zoo.fetch(theirs).path
    path.write_bytes(BODY[:-1])
    assert zoo.fetch(theirs).path.read_bytes() == BODY
    assert len(server.requests) == 2


def test_a_converted_file_must_have_the_hash_of_the_card(theirs, convert, card, files):
    values = {**theirs.as_dict(), 'sha256': '0' * 64}
    with pytest.raises(CbamError, match=f'not {"0" * 64} .the card of cbamnet_tiny.theirs'):
        zoo.get(card(values), convert=convert)
    assert [name for name in files() if not name.startswith('originals')] == []


def test_files_of_this_package(card, tmp_path, monkeypatch, home):
    """They need no store; files in the store take precedence."""
    monkeypatch.setattr(store, 'SHIPPED', tmp_path / 'shipped')
    shipped = card(own_card(BODY))
    (tmp_path / 'a.params').write_bytes(BODY)
    zoo.place(shipped, tmp_path / 'a.params', zoo.UpstreamFile(tmp_path / 'a.params', '', 0), tmp_path / 'shipped')
    assert zoo.cached(shipped) == zoo.get(shipped, offline=True) == tmp_path / 'shipped' / 'cbamnet_tiny.test.params'
    assert not home.exists()
    (tmp_path / 'shipped' / 'cbamnet_tiny.test.params').write_bytes(BODY[1:])
    with pytest.raises(CbamError, match='the file is damaged: install the package again') as caught:
        zoo.cached(shipped)
    assert caught.value.exit_code == 4


def test_a_card_without_url(card):
    with pytest.raises(CbamError, match='cbamnet_tiny.test has no URL to download from'):
        zoo.get(card(own_card(BODY)))


def test_offline(theirs, server, monkeypatch):
    for offline in (True, None):
        monkeypatch.setenv('CBAM_ZOO_OFFLINE', '1')
        with pytest.raises(
            CbamError, match="offline nothing is downloaded: run 'cbam zoo get cbamnet_tiny.th"
        ) as caught:
            zoo.fetch(theirs, offline=offline)
        assert caught.value.exit_code == 5
    assert server.requests == []
    monkeypatch.setenv('CBAM_ZOO_OFFLINE', '0')
    zoo.fetch(theirs)


def test_remove(theirs, convert, files, card, home):
    zoo.get(theirs, convert=convert)
    similar = card(own_card(BODY, tag='cbamnet_tiny.theirs.too'))
    (home / 'x').write_bytes(BODY)
    zoo.place(similar, home / 'x', zoo.UpstreamFile(home / 'x', '', 0))
    assert len(zoo.remove(theirs.tag)) == 4
    assert files() == ['cbamnet_tiny.theirs.too.json', 'cbamnet_tiny.theirs.too.params', 'x']
    with pytest.raises(CbamError, match='nothing of cbamnet_tiny.theirs is in') as caught:
        zoo.remove(theirs.tag)
    assert caught.value.exit_code == 2


def test_the_lock_is_reentrant(theirs):
    """Its owner may take it again; another thread waits."""
    order = []

    def other():
        with zoo.lock(theirs):
            order.append('other')

    thread = threading.Thread(target=other)
    with zoo.lock(theirs), zoo.lock(theirs):
        thread.start()
        thread.join(0.3)
        order.append('first')
    thread.join(30)
    assert order == ['first', 'other']
