"""Failures between a server and the store, end to end: one line, exit code, no incomplete files."""

import hashlib
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest
from checks import assert_one_line
from server import Reply, Server
from shelf import own_card, their_card, write_registry, zipped

from gluon_cbam import zoo
from gluon_cbam.common.errors import CbamError

BODY = bytes(range(256)) * 1000
PAGE = b'\n<!DOCTYPE html><html><body>Sign in to continue</body></html>'
HTML = {'Content-Type': 'text/html; charset=utf-8'}
TAG = 'cbamnet_tiny.test'


def bad(status, **headers):
    return Reply(status=status, headers=headers)


# name -> (answers, exit code, a part of the line, requests)
FAULTS = {
    'another file': ([BODY[::-1]], 4, 'the sha256 is', 1),
    'a shorter file': ([BODY[:-1]], 4, f'{len(BODY) - 1} bytes, not {len(BODY)}', 1),
    'a longer file': ([BODY + b'x'], 4, f'larger than the {len(BODY)} bytes', 1),
    'an endless file': ([Reply(BODY + BODY, headers={'Content-Length': None})], 4, f'larger than the {len(BODY)}', 1),
    'an empty file': ([b''], 4, f' 0 bytes, not {len(BODY)}', 1),
    'a web page': ([Reply(PAGE, headers=HTML)], 4, 'a web page instead of the file', 1),
    'a web page that says otherwise': ([PAGE], 4, 'a web page instead of the file', 1),
    'a compressed file': ([Reply(BODY, headers={'Content-Encoding': 'gzip'})], 4, 'encoded as gzip', 1),
    'not found': ([bad(404)], 5, 'the server says 404', 1),
    'forbidden': ([bad(403)], 5, 'the server says 403', 1),
    'status 410': ([bad(410)], 5, 'the server says 410', 1),
    'broken': ([bad(500)], 5, 'the server says 500', 5),
    'a long wait': ([bad(429, **{'Retry-After': '3600'})], 5, 'to wait 3600 s', 1),
    'a redirect loop': ([bad(302, Location='/a.params')], 5, 'redirects in a circle', 11),
    'a redirect to a file': ([bad(302, Location='file:///etc/passwd')], 5, 'neither http nor https', 1),
    'a redirect to ftp': ([bad(302, Location='ftp://127.0.0.1/a')], 5, 'neither http nor https', 1),
    'no answer': ([Reply(BODY, headers={'Content-Length': None}, stall=0)], 5, 'next to nothing came for 0.3 s', 2),
    'a stall': ([Reply(BODY, stall=1000)], 5, 'next to nothing came for 0.3 s', 2),
    'always cut': ([Reply(BODY, cut=1000, ranges=False)], 5, 'the connection broke', 5),
}


@pytest.mark.parametrize('fault', FAULTS)
def test_a_bad_server(fault, server, run, files, tmp_path, pauses, monkeypatch):
    replies, code, part, requests = FAULTS[fault]
    stalls = any(getattr(reply, 'stall', None) is not None for reply in replies)
    monkeypatch.setenv('CBAM_ZOO_TIMEOUT', '0.3' if stalls else '30')  # a busy machine may take longer than 0.3 s
    address = server.put('/a.params', *replies)
    registry = write_registry(tmp_path / 'registry.json', own_card(BODY, address))
    got, output, error = run('get', TAG, '--registry', registry)
    assert (got, output, error.count('\n')) == (code, '', 1), error
    assert error.startswith(f'cbam: {address}')
    assert part in error
    assert len(server.requests) == requests
    assert [name for name in files() if '.part' not in name] == []
    if code == 4:
        assert files() == []


@pytest.mark.parametrize('fault', ['another file', 'a web page', 'not found', 'always cut'])
def test_a_good_file_is_kept(fault, server, run, home, tmp_path, pauses):
    """After a change of the card, the file in the store is outdated, but it is kept."""
    address = server.put('/a.params', BODY)
    registry = write_registry(tmp_path / 'registry.json', own_card(BODY, address))
    assert run('get', TAG, '--registry', registry)[0] == 0
    server.put('/a.params', *FAULTS[fault][0])
    write_registry(tmp_path / 'registry.json', own_card(BODY[1:], address, bytes=len(BODY)))
    assert run('get', TAG, '--registry', registry)[0] == FAULTS[fault][1]
    assert (home / f'{TAG}.params').read_bytes() == BODY
    write_registry(tmp_path / 'registry.json', own_card(BODY, address))
    code, output, _ = run('get', TAG, '--registry', registry, '--json')
    assert (code, '"cached": true' in output) == (0, True)


def test_connection_refused(run, files, tmp_path, pauses):
    with Server() as server:
        address = server.url + '/a.params'
    registry = write_registry(tmp_path / 'registry.json', own_card(BODY, address))
    code, _, error = run('get', TAG, '--registry', registry)
    assert (code, error.count('\n')) == (5, 1)
    assert 'Connection refused' in error
    assert files() == []
    assert len(pauses) == 4
    assert all(0.5 * 2**n * 0.5 <= pause <= 2**n for n, pause in enumerate(pauses))


BOMB = zipped(**{'a.params': bytes(40_000_000)})
LYING_BOMB = BOMB.replace((40_000_000).to_bytes(4, 'little'), (1000).to_bytes(4, 'little'))
GOOD = zipped(**{'a.params': BODY})
ZIPS = {
    'a parent folder': (zipped(**{'a.params': BODY, '../evil': b'x'}), 'leaves the folder'),
    'an absolute name': (zipped(**{'/tmp/evil': b'x', 'a.params': BODY}), 'leaves the folder'),
    'a backslash': (zipped(**{'..\\evil': b'x', 'a.params': BODY}), 'leaves the folder'),
    'a bomb': (BOMB, 'more than the'),
    'a bomb with a false size': (LYING_BOMB, 'damaged one (Bad CRC-32'),
    'another member': (zipped(**{'b.params': BODY}), 'holds b.params and not once a.params'),
    'no member': (zipped(), 'holds nothing'),
    'a link': (zipped(**{'a.params': None}), 'a link or a folder'),
    'a damaged member': (GOOD.replace(GOOD[200:260], bytes(60)), 'damaged'),
    'a cut zip': (GOOD[:-30], 'bytes, not'),
    'no zip': (BODY[::-1], 'the sha1 is'),
    'another file': (zipped(**{'a.params': BODY[::-1]}), 'the sha1 is'),
}


@pytest.mark.parametrize('fault', ZIPS)
def test_a_bad_zip(fault, server, card, files, home):
    body, part = ZIPS[fault]
    assert LYING_BOMB != BOMB
    address = server.put('/a.zip', body)
    theirs = card(their_card(BODY, address, name='a.params', archive='zip', member='a.params', bytes=len(BODY)))
    with pytest.raises(CbamError, match='a.zip: ') as caught:
        zoo.fetch(theirs)
    assert part in str(caught.value)
    assert (caught.value.exit_code, '\n' in str(caught.value)) == (4, False)
    assert files() == []
    assert sorted(path.name for path in home.parent.parent.iterdir()) == ['home']


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 64 KiB; needs the rights to mount one."""
    folder = tmp_path / 'disk'
    folder.mkdir()
    mount = ['mount', '-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', str(folder)]
    if os.getuid() or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip('mounting is not permitted')
    yield folder
    subprocess.run(['umount', str(folder)], check=True)


def test_a_full_disk(server, run, small_disk, tmp_path):
    registry = write_registry(tmp_path / 'registry.json', own_card(BODY, server.put('/a.params', BODY)))
    code, output, error = run('get', TAG, '--registry', registry, '--root', small_disk)
    assert (code, output) == (5, '')
    assert error == f'cbam: {small_disk}: No space left on device: choose another folder with --root or CBAM_HOME\n'
    assert {path.suffix for path in small_disk.iterdir()} <= {'.lock', ''}
    assert list(small_disk.rglob('*.params')) == []


def test_a_limit_of_file_sizes(server, home, tmp_path):
    """The same without mounting a disk, in a separate process."""
    registry = write_registry(tmp_path / 'registry.json', own_card(BODY, server.put('/a.params', BODY)))
    process = subprocess.run(
        [Path(sys.executable).parent / 'cbam', 'zoo', 'get', TAG, '--registry', registry],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000)),
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert 'File too large: choose another folder' in assert_one_line(process, 5)
    assert [path.name for path in home.iterdir() if path.is_file() and path.suffix != '.lock'] == []


def test_a_read_only_store(server, run, small_disk, tmp_path):
    body = BODY[:1000]
    registry = write_registry(tmp_path / 'registry.json', own_card(body, server.put('/a.params', body)))
    subprocess.run(['mount', '-o', 'remount,ro', str(small_disk)], check=True)
    code, _, error = run('get', TAG, '--registry', registry, '--root', small_disk)
    assert (code, error.count('\n')) == (5, 1)
    assert 'Read-only file system' in error
    subprocess.run(['mount', '-o', 'remount,rw', str(small_disk)], check=True)
    assert run('get', TAG, '--registry', registry, '--root', small_disk)[0] == 0
    subprocess.run(['mount', '-o', 'remount,ro', str(small_disk)], check=True)
    assert run('get', TAG, '--registry', registry, '--root', small_disk)[0] == 0
    assert run('path', TAG, '--registry', registry, '--root', small_disk)[0] == 0


def test_a_store_that_cannot_be_created(run, server, tmp_path):
    (tmp_path / 'file').write_bytes(b'')
    registry = write_registry(tmp_path / 'registry.json', own_card(BODY, server.put('/a.params', BODY)))
    code, _, error = run('get', TAG, '--registry', registry, '--root', tmp_path / 'file' / 'models')
    assert (code, error.count('\n'), 'Not a directory' in error) == (5, 1, True)


@pytest.mark.parametrize(
    'address',
    ['file:///etc/passwd', 'ftp://host/a.params', '/etc/passwd', '//host/a', 'http:a', 'https://me:secret@host/a'],
)
def test_other_schemes_are_refused(address, run, tmp_path):
    registry = write_registry(tmp_path / 'registry.json', own_card(BODY, address))
    code, output, error = run('get', TAG, '--registry', registry)
    assert (code, output, error.count('\n')) == (4, '', 1)
    assert error == (
        f'cbam: {registry}: original.addresses must be http, https or relative, without a password, got {address!r}\n'
    )


def test_hash_of_the_first_download_is_recorded(server, card, home):
    """Without a published hash, later downloads are compared with the first."""
    theirs = card(their_card(None, server.put('/a.pth', BODY), name='a.pth', source='official'))
    first = zoo.fetch(theirs)
    assert first.sha256 == hashlib.sha256(BODY).hexdigest()
    first.path.unlink()
    server.put('/a.pth', BODY[::-1])
    with pytest.raises(CbamError, match='the first file of cbamnet_tiny.theirs had') as caught:
        zoo.fetch(theirs)
    assert caught.value.exit_code == 4
    assert not first.path.exists()
    zoo.remove(theirs.tag)
    assert zoo.fetch(theirs).path.read_bytes() == BODY[::-1]


def test_a_zip_without_a_hash_is_a_zip(server, card):
    """Without a hash, a file that is not a zip file is not taken for its member."""
    theirs = card(their_card(None, server.put('/a.zip', BODY), archive='zip'))
    with pytest.raises(CbamError, match='a.zip: not a zip'):
        zoo.fetch(theirs)
