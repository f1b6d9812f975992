"""Fashion-MNIST: from its files, from a server, and refused if it is something else."""

import gzip
import hashlib
import json

import numpy as np
import pytest
from click_runner import runner
from idx_files import write_idx
from server import Reply, Server

from gluon_cbam.cli.main import cli
from gluon_cbam.common.errors import DataError
from gluon_cbam.data.datasets import fashion
from gluon_cbam.data.records.recordio import RecordFile
from gluon_cbam.data.sources.arrays.known_sets import KNOWN


@pytest.fixture
def small(tmp_path, monkeypatch):
    """A folder of four small files, whose hashes the table knows."""
    random, files = np.random.RandomState(0), {}
    for record, split in fashion.FILES.items():
        made = []
        for file, shape in zip(split, ((12, 4, 4), (12,))):
            array = random.randint(0, 10, shape).astype(np.uint8)
            content = write_idx(tmp_path / 'source' / file.name, array).read_bytes()
            md5, sha256 = hashlib.md5(content).hexdigest(), hashlib.sha256(array.tobytes()).hexdigest()
            made.append(file._replace(md5=md5, size=len(content), sha256=sha256))
        files[record] = type(split)(*made)
    monkeypatch.setattr(fashion, 'FILES', files)
    monkeypatch.setattr(fashion, '_INSTALLED', tmp_path / 'not installed')
    return tmp_path / 'source'


def run(*arguments):
    return runner().invoke(cli, ['data', 'fashion', *map(str, arguments)])


def check(folder):
    assert len(RecordFile(folder / 'train.rec')) == len(RecordFile(folder / 'val.rec')) == 12
    assert (folder / 'classes.txt').read_text().splitlines()[::9] == ['T-shirt/top', 'Ankle boot']


def test_from_a_folder_and_from_the_package(small, tmp_path, monkeypatch):
    result = run(tmp_path / 'a', '--source', small, '--json')
    assert json.loads(result.stdout)['records'] == {'train.rec': 12, 'val.rec': 12}
    check(tmp_path / 'a')
    assert run(tmp_path / 'a', '--source', small).exit_code == 2, 'the files exist'
    monkeypatch.setattr(fashion, '_INSTALLED', small)
    for path in list(small.iterdir()):  # as torchvision has them
        (small / 'raw').mkdir(exist_ok=True)
        (small / 'raw' / path.stem).write_bytes(gzip.decompress(path.read_bytes()))
        path.unlink()
    assert run(tmp_path / 'b').exit_code == 0
    check(tmp_path / 'b')


def test_from_the_second_server(small, tmp_path, monkeypatch):
    with Server() as server:
        monkeypatch.setattr(fashion, 'SERVERS', (f'{server.url}/one/', f'{server.url}/two/'))
        for path in small.iterdir():
            server.put(f'/one/{path.name}', Reply(path.read_bytes()[:-1] + b'x'))
            server.put(f'/two/{path.name}', Reply(path.read_bytes()))
        assert run(tmp_path / 'out').exit_code == 0
        check(tmp_path / 'out')
        server.put('/two/t10k-labels-idx1-ubyte.gz', Reply(status=404))
        result = run(tmp_path / 'not')
    assert result.exit_code == 4 and 'the md5 is' in result.stderr and '404' in result.stderr
    assert not (tmp_path / 'not').exists()
    monkeypatch.setenv('CBAM_ZOO_OFFLINE', '1')
    result = run(tmp_path / 'not')
    assert result.exit_code == 5 and 'offline' in result.stderr and result.stderr.count('\n') == 1


def test_other_files_are_refused(small, tmp_path):
    write_idx(small / 't10k-labels-idx1-ubyte.gz', np.zeros(12, np.uint8))
    with pytest.raises(DataError, match='t10k-labels-idx1-ubyte.gz is not t10k-labels-idx1-ubyte.gz of Fashion-MNIST'):
        fashion.write_fashion(small, tmp_path / 'out')
    (small / 't10k-labels-idx1-ubyte.gz').unlink()
    with pytest.raises(DataError, match='t10k-labels-idx1-ubyte.gz of Fashion-MNIST is missing'):
        fashion.write_fashion(small, tmp_path / 'out')
    assert run(tmp_path / 'out', '--source', small / 'none').exit_code == 2
    assert not (tmp_path / 'out').exists()


@pytest.mark.skipif(fashion.installed() is None, reason=f'the package {fashion.PACKAGE} is not installed')
def test_the_package_holds_what_the_publisher_has(tmp_path):
    """Its compressed data with the header that the publisher's gzip wrote have the MD5 of the README."""
    seconds = (1504176606, 1504176606, 1504176627, 1504176627)  # when the files were compressed
    known = next(row for row in KNOWN if row.name == 'Fashion-MNIST')
    files = [file for split in fashion.FILES.values() for file in split]
    for file, second in zip(files, seconds):
        content = (fashion.installed() / file.name).read_bytes()
        header = b'\x1f\x8b\x08\x08' + second.to_bytes(4, 'little') + content[8:10] + file.name[:-3].encode() + b'\0'
        assert hashlib.md5(header + content[10:]).hexdigest() == file.md5
        assert len(header + content[10:]) == file.size
        array = fashion._verified(fashion.installed(), file)
        assert array.ndim == 3 or file.sha256 in known.labels
