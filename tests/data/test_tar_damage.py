"""Tar files made by hand, header by header: what is damaged, cut or expands is an error, whatever ``tarfile`` does."""

import bz2
import gzip
import io
import lzma
import tarfile
import tracemalloc

import pytest

from gluon_cbam.common.errors import DataError
from gluon_cbam.data.sources import tars
from gluon_cbam.data.sources.file_trees import open_tree
from gluon_cbam.data.sources.tars import members

COMPRESS = {'tar': bytes, 'tar.gz': gzip.compress, 'tar.bz2': bz2.compress, 'tar.xz': lzma.compress}
END = bytes(1024)


@pytest.fixture(autouse=True)
def without_tarfile(monkeypatch):
    """A tarfile that takes everything for the end of the file, as versions of Python do where a method is renamed."""
    monkeypatch.setattr(tarfile.TarFile, 'next', lambda self: None)


def header(name, size=0, kind=b'0', magic=b'ustar\x0000', prefix=b'', size_field=None, signed=False):
    block = bytearray(512)
    block[: len(name)] = name
    block[100:124] = b'0000644\0' + 2 * b'0000000\0'
    block[124:136] = b'%011o\0' % size if size_field is None else size_field
    block[136:156] = b'00000000000\0' + 8 * b' '
    block[156:157] = kind
    block[257 : 257 + len(magic)] = magic
    block[345 : 345 + len(prefix)] = prefix
    total = sum(block) - (256 * sum(byte > 127 for byte in block) if signed else 0)
    block[148:156] = b'%06o\0 ' % total
    return bytes(block)


def member(name, content=b'', **fields):
    return header(name, len(content), **fields) + content + bytes(-len(content) % 512)


def pax(**records):
    content = b''
    for key, value in records.items():
        body = b' %s=%s\n' % (key.replace('__', '.').encode(), value)
        length = len(body) + 2
        content += str(length if length < 100 else length + 1).encode() + body
    return content


def read(path):
    return {found.name: found.read() for found in members(path) if found.kind == 'file'}


@pytest.mark.parametrize('ending', COMPRESS)
def test_every_way_to_write_a_name_and_a_size(ending, tmp_path):
    long_name = b'/'.join([b'folder' * 10] * 4) + b'/a.jpg'
    parts = [
        member(b'cat/1.jpg', b'one'),
        member(b'old.jpg', b'old', kind=b'\0', magic=b''),
        member(b'folder/', kind=b'\0', magic=b''),  # a folder in a tar file without types
        member(b'2.jpg', b'two', prefix=b'dog'),
        member(b'3.jpg', b'three', magic=b'ustar  \0', prefix=b'\x01times'),  # GNU tar: no name there
        member(b'././@LongLink', long_name + b'\0', kind=b'L') + member(long_name[:100], b'four'),
        member(b'pax', pax(path='Übung/é.jpg'.encode(), mtime=b'1.5'), kind=b'x') + member(b'x', b'five'),
        header(b'6.jpg', size_field=b'\x80' + (3).to_bytes(11, 'big')) + b'six' + bytes(509),
        member(b'pax', pax(size=b'5'), kind=b'x') + header(b'7.jpg', 0) + b'seven' + bytes(507),
        header(b'link.jpg', 99, kind=b'1') + header(b'folder', 99, kind=b'5'),  # without bytes, whatever they state
        member(b'unknown', b'skipped', kind=b'V'),
        member(b'\xe9\xff.jpg', b'eight', signed=True),
        member(b'inner.tar', member(b'9.jpg', b'nine') + END),
    ]
    path = tmp_path / f'a.{ending}'
    path.write_bytes(COMPRESS[ending](b''.join(parts) + END))
    assert read(path) == {
        'cat/1.jpg': b'one', 'old.jpg': b'old', 'dog/2.jpg': b'two', '3.jpg': b'three', long_name.decode(): b'four',
        'Übung/é.jpg': b'five', '6.jpg': b'six', '7.jpg': b'seven', '\udce9\udcff.jpg': b'eight',
        'inner/9.jpg': b'nine',
    }  # fmt: skip


@pytest.mark.parametrize('form', [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_the_formats_of_tarfile(form, tmp_path):
    names = ['a.jpg', 'b' * 99 + '/c.jpg', *(['d/' * 120 + 'é.jpg'] if form != tarfile.USTAR_FORMAT else [])]
    with tarfile.open(tmp_path / 'a.tar', 'w', format=form) as tar:
        for name in names:
            info = tarfile.TarInfo(name)
            info.size = len(name)
            tar.addfile(info, io.BytesIO(name.encode('latin-1')))
    assert read(tmp_path / 'a.tar') == {name: name.encode('latin-1') for name in names}


FIRST, SECOND = member(b'1.jpg', b'one'), member(b'2.jpg', b'two')
DAMAGE = {
    'zeros where a header was': (FIRST + bytes(512) + SECOND + END, 'data follow its end mark', 1536),
    'two files one after the other': (2 * (FIRST + END), 'data follow its end mark', 2048),
    'no end mark': (FIRST + SECOND, 'it ends without an end mark', 2048),
    'half a header': (FIRST + SECOND[:99], 'truncated in a header', 1024),
    'half a member': (FIRST + SECOND[:514], "truncated in member '2.jpg'", 1024),
    'letters in the size': (FIRST + header(b'2.jpg', size_field=b'0000000000a\0') + END, 'invalid size', 1024),
    'not octal': (FIRST + header(b'2.jpg', size_field=b'00000000009\0') + END, 'invalid size', 1024),
    'a negative size': (FIRST + header(b'2.jpg', size_field=b'\xff' * 12) + END, 'negative size', 1024),
    'a huge size': (FIRST + header(b'2.jpg', size_field=b'\x80' + b'\x7f' * 11) + END, "truncated in member '2", 1024),
    'a pax size that is none': (member(b'p', pax(size=b'-1'), kind=b'x') + FIRST + END, 'size of a pax header', 1024),
    'a huge pax size': (member(b'p', pax(size=b'9' * 20), kind=b'x') + FIRST + END, "truncated in member '1", 1024),
    'a pax length': (member(b'p', b'99 path=a\n', kind=b'x') + FIRST + END, 'a pax header cannot be read', 0),
    'a pax record': (member(b'p', b'6 path\n', kind=b'x') + FIRST + END, 'a pax header cannot be read', 0),
    'a long name without its member': (FIRST + member(b'l', b'name\0', kind=b'L') + END, 'a member must follow', 2048),
    'an endless name': (member(b'l', b'n' * 5000, kind=b'L') + FIRST + END, 'a name of 5000 bytes', 5632),
    'many attributes': (FIRST + header(b'p', 2**21, kind=b'x') + bytes(2**21) + END, '2097152 bytes of name', 1024),
    'a sparse member': (header(b'1.jpg', 3, kind=b'S') + bytes(512) + END, 'is sparse', 0),
    'a sparse member of pax': (member(b'p', pax(GNU__sparse__map=b''), kind=b'x') + FIRST + END, 'is sparse', 1024),
}  # fmt: skip


@pytest.mark.parametrize('ending', ['tar', 'tar.gz'])
@pytest.mark.parametrize('kind', DAMAGE)
def test_damage(kind, ending, tmp_path):
    content, message, offset = DAMAGE[kind]
    path = tmp_path / f'a.{ending}'
    path.write_bytes(COMPRESS[ending](content))
    with pytest.raises(DataError, match=message) as caught:
        list(members(path))
    text = str(caught.value)
    assert text.startswith(f'{path}: a damaged tar file')
    assert text.endswith(f'(the header at offset {offset})')
    assert '\n' not in text


def test_each_changed_bit_of_a_header(tmp_path):
    whole = FIRST + SECOND + END
    path = tmp_path / 'a.tar'
    for bit in range(0, 512 * 8, 11):
        changed = bytearray(whole)
        changed[1024 + bit // 8] ^= 1 << bit % 8
        if 148 <= bit // 8 < 156:  # the checksum itself: another way to write the same number is no damage
            continue
        path.write_bytes(changed)
        with pytest.raises(DataError, match='bad checksum|invalid'):
            read(path)


@pytest.mark.parametrize('ending', ['tar', 'tar.gz', 'tar.bz2', 'tar.xz'])
def test_cut_at_each_block(ending, tmp_path):
    """The tar file is cut before it is compressed, so that the compression is whole."""
    whole = FIRST + member(b'inner.tar', SECOND + END) + member(b'3.txt', b'three')
    path = tmp_path / f'a.{ending}'
    for size in range(0, len(whole) + 1, 256):
        path.write_bytes(COMPRESS[ending](whole[:size]))
        with pytest.raises(DataError, match='it ends without an end mark|truncated'):
            read(path)
    path.write_bytes(COMPRESS[ending](whole + END))
    assert len(read(path)) == 3


@pytest.mark.parametrize('ending', ['tar.gz', 'tar.bz2', 'tar.xz'])
def test_damaged_compression(ending, tmp_path):
    whole = COMPRESS[ending](FIRST + SECOND + END)
    path = tmp_path / f'a.{ending}'
    for position in range(0, len(whole), 3):
        for changed in (whole[:position], whole[:position] + bytes([whole[position] ^ 255]) + whole[position + 1 :]):
            path.write_bytes(changed)
            try:
                found = read(path)
            except DataError as error:
                assert str(error).startswith(f'{path}: a damaged tar file')
            else:  # the time and the system that gzip notes in its header are not checked by anything
                assert position < 10 and found == {'1.jpg': b'one', '2.jpg': b'two'}


def test_the_command_names_file_and_offset(cbam_here, tmp_path):
    (tmp_path / 'a.tar').write_bytes(FIRST + SECOND[:514])
    done = cbam_here('data', 'pack', tmp_path / 'a.tar', tmp_path / 'out')
    assert (done.returncode, done.stderr.count('\n')) == (4, 1)
    assert 'a.tar: a damaged tar file' in done.stderr
    assert 'at offset 1024' in done.stderr
    assert not (tmp_path / 'out').exists()


def peak_of(action):
    tracemalloc.start()
    try:
        with pytest.raises(DataError) as caught:
            action()
        return str(caught.value), tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_a_huge_picture_is_refused_before_it_is_read(tmp_path):
    path = tmp_path / 'a.tar.gz'
    with gzip.open(path, 'wb', compresslevel=1) as file:
        file.write(FIRST + header(b'huge.jpg', 2**26))
        for _ in range(64):
            file.write(bytes(2**20))
        file.write(END)
    message, peak = peak_of(lambda: read(path))
    assert "member 'huge.jpg' has 67108864 bytes" in message
    assert peak < 2**23
    assert [found.name for found in members(path)] == ['1.jpg', 'huge.jpg'], 'nothing is wrong if it is not read'


def test_members_by_the_million(tmp_path, monkeypatch):
    monkeypatch.setattr(tars, '_LIST', 2**17)
    path = tmp_path / 'a.tar.gz'
    path.write_bytes(gzip.compress(b''.join(member(b'%d.txt' % number) for number in range(600)) + END))
    message, peak = peak_of(lambda: read(path))
    assert 'more members than it can hold images' in message
    assert peak < 2**23


def test_expansion(tmp_path, monkeypatch):
    monkeypatch.setattr(tars, '_EXPANSION', 2**20)
    path = tmp_path / 'a.tar.bz2'
    path.write_bytes(bz2.compress(member(b'notes.txt', bytes(2**23)) + END))
    message, peak = peak_of(lambda: list(members(path)))
    assert 'it expands to more than' in message
    assert peak < 2**24


def test_a_picture_that_is_a_hole_in_the_file(tmp_path):
    """A tar file with a hole takes no place on the disk, so that its size alone limits nothing."""
    path = tmp_path / 'a.tar'
    with open(path, 'wb') as file:
        file.write(header(b'cat/huge.jpg', 1 << 30))
        file.truncate((1 << 30) + 2048)
    tree = open_tree(path)
    (location,) = tree.contents([0])
    with pytest.raises(DataError, match='an image of 1073741824 bytes, the limit is'):
        location.read()


def test_tar_files_without_end_inside_each_other(tmp_path):
    content = FIRST + END
    for _ in range(8):
        content = member(b'a.tar', content) + END
    (tmp_path / 'a.tar').write_bytes(content)
    with pytest.raises(DataError, match='more than 4 deep'):
        read(tmp_path / 'a.tar')
