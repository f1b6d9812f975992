"""Downloads that succeed after retries, by resuming or from mirrors; and once for several processes."""

import json
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from server import Reply
from shelf import own_card, their_card, write_registry, zipped

from gluon_cbam import zoo
from gluon_cbam.common.errors import CbamError
from gluon_cbam.zoo.download import download
from gluon_cbam.zoo.location import RetryPolicy

BODY = bytes(range(256)) * 1000
MOST = len(BODY)


@pytest.fixture
def part(tmp_path):
    return tmp_path / 'a.part'


def test_retry(server, part, pauses):
    replies = [Reply(status=500), Reply(status=503, headers={'Retry-After': '7'}), Reply(status=429), BODY]
    download(server.put('/a', *replies), part, MOST)
    assert part.read_bytes() == BODY
    assert pauses[1] == 7
    assert 0.25 <= pauses[0] <= 0.75
    assert 1 <= pauses[2] <= 3


def test_a_broken_download_is_resumed(server, part, pauses):
    address = server.put('/a', Reply(BODY, cut=100_000), Reply(BODY, cut=50_000), BODY)
    seen = []
    download(address, part, MOST, progress=lambda done, total: seen.append((done, total)))
    assert part.read_bytes() == BODY
    assert server.sent('/a') == [100_000, 50_000, MOST - 150_000]
    assert [request.headers.get('Range') for request in server.requests] == [None, 'bytes=100000-', 'bytes=150000-']
    assert seen[-1] == (MOST, MOST)
    assert seen == sorted(seen)


def test_a_later_process_resumes(server, part):
    once = RetryPolicy(attempts=1)
    address = server.put('/a', Reply(BODY, cut=100_000), BODY)
    with pytest.raises(CbamError, match='the connection broke'):
        download(address, part, MOST, once)
    download(address, part, MOST, once)
    assert (part.read_bytes(), server.sent('/a')) == (BODY, [100_000, MOST - 100_000])


CHANGED = BODY[::-1]
RESTARTS = {
    'no ranges': Reply(BODY, ranges=False),
    'another file since': Reply(CHANGED),
    'another range than asked for': [Reply(BODY, headers={'Content-Range': 'bytes 5-9/10'}), BODY],
    'a shorter file since': [Reply(status=416), Reply(BODY[:5])],
}


@pytest.mark.parametrize('kind', RESTARTS)
def test_a_restart_is_clean(kind, server, part, pauses):
    then = RESTARTS[kind] if isinstance(RESTARTS[kind], list) else [RESTARTS[kind]]
    download(server.put('/a', Reply(BODY, cut=100_000), *then), part, MOST)
    assert part.read_bytes() == (then[-1].body if isinstance(then[-1], Reply) else then[-1])


def test_a_part_from_another_url_is_not_resumed(server, part):
    """Two servers may give different files the same ETag."""
    first, second = (Reply(body, headers={'ETag': '"1"'}, cut=cut) for body, cut in ((CHANGED, 1000), (BODY, None)))
    with pytest.raises(CbamError):
        download(server.put('/a', first), part, MOST, RetryPolicy(attempts=1))
    download(server.put('/b', second), part, MOST)
    assert part.read_bytes() == BODY


def test_a_slow_connection_counts_as_stalled(server, part):
    """A byte from time to time prevents the timeout of a socket."""
    with pytest.raises(CbamError, match='next to nothing came for 0.3 s'):
        download(server.put('/a', Reply(BODY, drip=0.05)), part, MOST, RetryPolicy(timeout=0.3, attempts=1))


def test_mirrors_and_urls_in_order(server, card, monkeypatch, pauses):
    good, other = zipped(**{'theirs.params': BODY}), zipped(**{'theirs.params': CHANGED})
    server.put('/gone/a.zip', Reply(status=404))
    server.put('/wrong/a.zip', other)
    server.put('/good/a.zip', good)
    addresses = [f'{server.url}/{name}/a.zip' for name in ('gone', 'wrong', 'good', 'never')]
    theirs = card(their_card(BODY, *addresses, archive='zip'))
    fetched = zoo.fetch(theirs)
    assert (fetched.path.read_bytes(), fetched.url) == (BODY, addresses[2])
    assert [request.path for request in server.requests] == ['/gone/a.zip', '/wrong/a.zip', '/good/a.zip']

    zoo.remove(theirs.tag)
    server.put('/mirror/deep/a.zip', good)
    monkeypatch.setenv('CBAM_ZOO_MIRROR', f'{server.url}/empty, {server.url}/mirror/deep/')
    assert zoo.fetch(theirs).url == f'{server.url}/mirror/deep/a.zip'
    assert [request.path for request in server.requests[3:]] == ['/empty/a.zip', '/mirror/deep/a.zip']


def test_name_on_a_mirror_of_a_url_with_a_query(server, card, monkeypatch):
    server.put('/a.pth', BODY)
    monkeypatch.setenv('CBAM_ZOO_MIRROR', server.url)
    theirs = card(their_card(None, 'https://drive.invalid/download?id=1', name='a.pth', source='official'))
    assert zoo.fetch(theirs).path.read_bytes() == BODY


def test_every_url_is_named_when_all_fail(server, card):
    theirs = card(their_card(BODY, server.put('/a', BODY[1:]), server.put('/b', Reply(status=404))))
    with pytest.raises(CbamError) as caught:
        zoo.fetch(theirs)
    message = str(caught.value)
    assert message.startswith(f'no URL gave the file of cbamnet_tiny.theirs: {server.url}/a: the sha1 is')
    assert f'; {server.url}/b: the server says 404' in message
    assert (caught.value.exit_code, '\n' in message) == (4, False)


def test_proxies_of_the_environment(server, part, monkeypatch):
    """A proxy gets the whole URL in the request line."""
    server.put('http://weights.invalid/a.params', BODY)
    monkeypatch.setenv('http_proxy', server.url)
    download('http://weights.invalid/a.params', part, MOST)
    assert part.read_bytes() == BODY


@pytest.mark.parametrize('value', ['soon', '0', '-1', 'nan'])
def test_a_timeout_is_a_number_of_seconds(value, monkeypatch):
    monkeypatch.setenv('CBAM_ZOO_TIMEOUT', value)
    with pytest.raises(CbamError, match=f"CBAM_ZOO_TIMEOUT must be a number of seconds above 0, got '{value}'"):
        RetryPolicy.from_environment()


def test_ten_processes_download_once(server, home, cbam, tmp_path):
    """The first download is slow enough for the others to wait for it."""
    slow = Reply(BODY, pause=1.5)
    registry = write_registry(tmp_path / 'registry.json', own_card(BODY, server.put('/a.params', slow)))
    with ThreadPoolExecutor(10) as pool:
        arguments = ('zoo', 'get', 'cbamnet_tiny.test', '--registry', registry, '--json')
        processes = list(pool.map(lambda _: cbam(*arguments), range(10)))
    assert [process.returncode for process in processes] == [0] * 10, processes
    answers = [json.loads(process.stdout) for process in processes]
    assert {answer['path'] for answer in answers} == {str(home / 'cbamnet_tiny.test.params')}
    assert server.sent('/a.params') == [MOST]
    assert (home / 'cbamnet_tiny.test.params').read_bytes() == BODY


def test_a_killed_download_is_resumed(server, home, tmp_path):
    registry = write_registry(
        tmp_path / 'registry.json', own_card(BODY, server.put('/a.params', Reply(BODY, stall=100_000), BODY))
    )
    command = [Path(sys.executable).parent / 'cbam', 'zoo', 'get', 'cbamnet_tiny.test', '--registry', registry]
    process = subprocess.Popen(command)
    part = home / '.cbamnet_tiny.test.part'
    deadline = threading.Event()
    while not (part.exists() and part.stat().st_size == 100_000):
        assert not deadline.wait(0.05)
        assert process.poll() is None
    process.kill()
    process.wait()
    assert subprocess.run(command, capture_output=True, check=False).returncode == 0
    assert server.sent('/a.params') == [100_000, MOST - 100_000]
    assert (home / 'cbamnet_tiny.test.params').read_bytes() == BODY
    assert not part.exists()
