"""Processes that begin together share every download, and none is harmed by one that is killed."""

import json
import subprocess
import sys
import threading

import pytest
from server import Reply
from shelf import own_card

BODY = bytes(range(256)) * 400
TAG = 'cbamnet_tiny.test'
GET = (
    'import sys\nfrom gluon_cbam import zoo\n'
    f'print(zoo.get(zoo.find({TAG!r}, sys.argv[1:])).read_bytes()[:3].hex(), "mxnet" in sys.modules)\n'
)
LOCKED = (
    'import sys, time\nfrom pathlib import Path\nfrom gluon_cbam.zoo.locking import lock_file\n'
    'with lock_file(Path(sys.argv[1]), "it"):\n    print("locked", flush=True)\n    time.sleep(600)\n'
)


@pytest.fixture
def start():
    """Starts Python with some code."""
    started = []

    def start(code, *arguments):
        command = [sys.executable, '-c', code, *map(str, arguments)]
        started.append(subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def registry(server):
    """The URL of a registry; it and its file come slowly."""
    server.put('/a.params', Reply(BODY, pause=0.3))
    return server.put('/registry.json', Reply(json.dumps(own_card(BODY, 'a.params')).encode(), pause=0.3))


def test_twelve_processes_download_each_file_once(registry, server, start, home):
    all_began = threading.Event()  # on a busy machine, the first could be done before the last begins
    server.put('/registry.json', Reply(json.dumps(own_card(BODY, 'a.params')).encode(), after=all_began))
    processes = [start(GET, registry) for _ in range(12)]
    all_began.set()
    results = [(*process.communicate(timeout=120), process.returncode) for process in processes]
    assert [code for _, _, code in results] == [0] * 12, results
    assert {output for output, _, _ in results} == {'000102 False\n'}
    assert (len(server.asked('/registry.json')), len(server.asked('/a.params'))) == (1, 1)
    assert (home / f'{TAG}.params').read_bytes() == BODY
    assert not [path for path in home.rglob('*') if '.part' in path.name]


def test_a_killed_process_holds_nobody_up(registry, server, start, home):
    """The first is killed amid the registry, the second amid the file, the third with the lock."""
    whole = json.dumps(own_card(BODY, 'a.params')).encode()
    server.put('/registry.json', Reply(whole, stall=50), whole)
    server.put('/a.params', Reply(BODY, stall=50_000), BODY)
    for pattern in ('registries/[0-9a-f]*.part', f'.{TAG}.part'):
        process = start(GET, registry)
        while not any(path.stat().st_size for path in home.glob(pattern)):
            assert process.poll() is None, process.communicate()
        process.kill()
        process.wait()
    holder = start(LOCKED, home / TAG)
    assert holder.stdout.readline() == 'locked\n'
    waiting = start(GET, registry)
    holder.kill()
    output, error = waiting.communicate(timeout=120)
    assert (waiting.returncode, output) == (0, '000102 False\n'), error
    assert 'Range' in server.asked('/a.params')[-1].headers, 'what the second left is resumed'


def test_every_command_asks_for_the_registry_again(registry, server, start):
    for expected in (1, 2):
        output, error = start(GET, registry).communicate(timeout=120)
        assert output, error
        assert len(server.asked('/registry.json')) == expected
