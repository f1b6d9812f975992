"""Zip files that anybody may have made: extracted as they are meant, or refused with their name."""

import io
import random
import struct
import zipfile

import pytest
from server import Reply
from shelf import own_card, their_card, write_registry

from gluon_cbam import zoo
from gluon_cbam.common.errors import CbamError, DataError, TransferError
from gluon_cbam.zoo import archive
from gluon_cbam.zoo.archive import extract

BODY = bytes(range(256)) * 40
METHODS = {
    'stored': zipfile.ZIP_STORED,
    'deflated': zipfile.ZIP_DEFLATED,
    'bz2': zipfile.ZIP_BZIP2,
    'lzma': zipfile.ZIP_LZMA,
}


def packed(method, body=BODY, name='a.params'):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, 'w', METHODS[method]) as made:
        made.writestr(name, body)
    return buffer.getvalue()


def unpacked(path, output, limit=10_240):
    extract(path, 'a.params', output, limit, 'SOURCE')
    return output.read_bytes()


@pytest.fixture
def put(tmp_path):
    def put(content):
        (tmp_path / 'a.zip').write_bytes(content)
        return tmp_path / 'a.zip'

    return put


def damaged(content, method):
    """One fault at a time: in the data, in the offsets, and in the sizes of the lists."""
    end = content.rindex(b'PK\x05\x06')
    listed = content.rindex(b'PK\x01\x02')
    data = 30 + len('a.params')
    yield 'data', content[: data + 6] + bytes(20) + content[data + 26 :]
    yield 'offset of the list', content[: end + 16] + struct.pack('<I', 0xFFFFFFF0) + content[end + 20 :]
    yield 'size of the list', content[: end + 12] + struct.pack('<I', 0xFFFFFFF0) + content[end + 16 :]
    yield 'offset of the member', content[: listed + 42] + struct.pack('<I', 0xFFFFFFF0) + content[listed + 46 :]
    yield 'method', content[: listed + 10] + struct.pack('<H', 77) + content[listed + 12 :]
    yield 'encrypted', content[: listed + 8] + struct.pack('<H', 1) + content[listed + 10 :]
    yield 'a cut', content[: len(content) // 2]
    yield 'name', content[: listed + 46] + b'\xff\xfe' + content[listed + 48 :]


@pytest.mark.parametrize('method', METHODS)
def test_damage_is_an_error_with_the_file(method, put, tmp_path):
    assert unpacked(put(packed(method)), tmp_path / 'out') == BODY
    for fault, content in damaged(packed(method), method):
        with pytest.raises(DataError, match='^SOURCE: ') as caught:
            unpacked(put(content), tmp_path / 'out')
        assert str(caught.value).isprintable(), fault


def test_mutated_archives(put, tmp_path):
    """Seeded: the member as it was, or an error; nothing else ends the process."""
    choose = random.Random(0)
    refused = 0
    for _ in range(600):
        content = bytearray(packed(choose.choice(list(METHODS)), BODY[:600]))
        for _ in range(choose.randrange(1, 4)):
            content[choose.randrange(len(content))] = choose.randrange(256)
        try:
            assert unpacked(put(bytes(content)), tmp_path / 'out') == BODY[:600]
        except DataError as error:
            assert str(error).startswith('SOURCE: ') and str(error).isprintable()
            refused += 1
    assert refused > 300


def test_an_archive_in_an_archive_is_a_file(put, tmp_path):
    inner = packed('deflated')
    assert unpacked(put(packed('stored', inner)), tmp_path / 'out') == inner


def test_sizes_are_checked_before_anything_is_read(put, tmp_path, monkeypatch):
    path = put(packed('deflated', bytes(10**6)))
    with pytest.raises(DataError, match='a.params unpacks to 1000000 bytes, more than the 999999 it may have'):
        unpacked(path, tmp_path / 'out', 10**6 - 1)
    assert (tmp_path / 'out').stat().st_size == 0
    monkeypatch.setattr(archive, '_MAX_READ', 40)
    with pytest.raises(DataError, match='more than 40 bytes of names'):
        unpacked(path, tmp_path / 'out', 10**6)


def test_errors_of_the_disk_are_not_damage(put, tmp_path):
    with pytest.raises(TransferError, match='SOURCE: No such file or directory'):
        unpacked(tmp_path / 'none.zip', tmp_path / 'out')
    with pytest.raises(OSError, match='out'):
        unpacked(put(packed('stored')), tmp_path / 'none' / 'out')


@pytest.mark.parametrize('fault', ['bz2', 'offset'])
def test_the_next_url_is_tried(fault, server, card, run, tmp_path, files):
    faults = dict(damaged(packed('bz2'), 'bz2'))
    content = faults['data' if fault == 'bz2' else 'offset of the list']
    bad, good = server.put('/bad.zip', content), server.put('/good.zip', packed('deflated'))
    (tmp_path / 'bad.zip').write_bytes(content)
    for addresses in ([bad, good], ['bad.zip', good]):
        registry = write_registry(tmp_path / 'r.json', their_card(None, *addresses, name='a.params', archive='zip'))
        theirs = zoo.find('cbamnet_tiny.theirs', [registry])
        assert zoo.fetch(theirs).path.read_bytes() == BODY
        zoo.remove(theirs.tag)
    only_bad = write_registry(tmp_path / 'r.json', their_card(None, 'bad.zip', name='a.params', archive='zip'))
    with pytest.raises(DataError, match='^bad.zip: not a zip, or a damaged one'):
        zoo.fetch(zoo.find('cbamnet_tiny.theirs', [only_bad]))
    assert files() == []


def test_a_file_that_cannot_be_read_does_not_end_the_search(server, tmp_path, monkeypatch):
    """An error of the file at one address is not one of the store."""
    (tmp_path / 'a.params').write_bytes(BODY)
    addresses = ['x' * 300, 'a.params', server.put('/gone', Reply(status=404)), server.put('/good', BODY)]
    registry = write_registry(tmp_path / 'r.json', own_card(BODY, *addresses))
    opened = open

    def failing(path, *arguments, **named):
        if str(path) == str(tmp_path / 'a.params'):
            raise OSError(5, 'Input/output error')
        return opened(path, *arguments, **named)

    monkeypatch.setattr('builtins.open', failing)
    assert zoo.fetch(zoo.find('cbamnet_tiny.test', [registry])).url == addresses[-1]
    registry = write_registry(tmp_path / 'r.json', own_card(BODY, *addresses[:2]))
    zoo.remove('cbamnet_tiny.test')
    with pytest.raises(CbamError, match='a.params: Input/output error'):
        zoo.fetch(zoo.find('cbamnet_tiny.test', [registry]))


def test_an_archive_may_be_larger_than_its_member(card, tmp_path, files):
    """One that only stores a file adds its lists to it; the bytes on the card are those of the file."""
    (tmp_path / 'a.zip').write_bytes(packed('stored'))
    stored = own_card(BODY, 'a.zip')
    stored['original'].update(name='a.params', archive='zip')
    theirs = zoo.find(stored['tag'], [write_registry(tmp_path / 'r.json', stored)])
    assert theirs.bytes == len(BODY) < len(packed('stored'))
    assert zoo.fetch(theirs).path.read_bytes() == BODY
