"""Tar files, read without unpacking, compared with tarfile; damage that tarfile takes for the end of the file."""

import gzip
import io
import tarfile

import pytest

from gluon_cbam.common.errors import DataError, UsageError
from gluon_cbam.data.preparation.packing import pack
from gluon_cbam.data.sources.tars import members


def tar_of(path, files, mode='w'):
    """Write a tar file from name -> bytes."""
    with tarfile.open(path, mode) as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return path


@pytest.fixture
def tar_of_tars(folders, tmp_path):
    """As ImageNet: a tar file with a tar file for each class; neither the classes nor the images are sorted."""
    root, _ = folders
    inner = {}
    for folder in sorted(root.iterdir(), reverse=True):
        files = {path.name: path.read_bytes() for path in sorted(folder.iterdir(), reverse=True)}
        inner[f'{folder.name}.tar'] = tar_of(tmp_path / 'inner', files).read_bytes()
    return tar_of(tmp_path / 'train.tar', inner)


@pytest.fixture
def records(folders, tmp_path):
    """The record file packed from the class folders."""
    (done,) = pack(folders[0], tmp_path / 'plain')
    return done.path.read_bytes()


@pytest.mark.parametrize('workers', [1, 2])
def test_a_tar_of_class_tars_equals_class_folders(tar_of_tars, records, tmp_path, workers):
    before = {path.name for path in tmp_path.iterdir()}
    (done,) = pack(tar_of_tars, tmp_path / 'out', workers=workers)
    assert done.path.read_bytes() == records
    assert (done.path.name, done.other) == ('train.rec', 1)
    assert (tmp_path / 'out' / 'classes.txt').read_text() == 'cat\ndog\nzebra\n'
    assert {path.name for path in tmp_path.iterdir()} - before == {'out'}, 'something was unpacked'


@pytest.mark.parametrize('prefix', ['', './', 'set-1/', './set-1/images/'])
def test_a_tar_of_class_folders(folders, records, tmp_path, prefix):
    root, _ = folders
    with tarfile.open(tmp_path / 'a.tar', 'w') as tar:
        tar.add(root, prefix or '.')
    (done,) = pack(tmp_path / 'a.tar', tmp_path / 'out')
    assert done.path.read_bytes() == records


def test_a_tar_with_train_and_val(folders, records, tmp_path):
    root, _ = folders
    with tarfile.open(tmp_path / 'a.tar', 'w') as tar:
        tar.add(root, 'set/train')
        tar.add(root / 'dog', 'set/val/dog')
    train, val = pack(tmp_path / 'a.tar', tmp_path / 'out')
    assert (train.path.name, train.records, train.other) == ('train.rec', 6, 1)
    assert (val.path.name, val.records, val.other) == ('val.rec', 2, 0)
    assert train.path.read_bytes() == records


@pytest.mark.parametrize('ending', ['gz', 'bz2', 'xz'])
def test_compressed_tars_stream_in_their_order(folders, tar_of_tars, tmp_path, contents, ending):
    root, images = folders
    with tarfile.open(tar_of_tars) as tar:
        files = {info.name: tar.extractfile(info).read() for info in tar}
    source = tar_of(tmp_path / f'train.tar.{ending}', files, f'w:{ending}')
    (done,) = pack(source, tmp_path / 'out', workers=2)
    backwards = sorted(images, key=lambda path: (path.parent.name, path.name), reverse=True)
    assert contents(done.path) == [images[path] for path in backwards]
    with pytest.raises(UsageError, match='leave out --shuffle'):
        pack(source, tmp_path / 'out', shuffle=True)


def test_truncated_anywhere(tar_of_tars, tmp_path):
    """A cut at any block is an error, never fewer images; only the end mark may be cut after its first block."""
    whole = tar_of_tars.read_bytes()
    last = len(whole.rstrip(b'\0'))
    end_mark = -(-last // 512) * 512  # of the last class tar; the end mark of the outer tar and padding follow
    cut = tmp_path / 'cut.tar'
    for size in range(0, end_mark + 1, 512):
        cut.write_bytes(whole[:size])
        with pytest.raises(DataError, match='cut.tar: a damaged tar file'):
            list(members(cut))
    cut.write_bytes(whole[: whole.index(b'dog.tar') + 512 + 512 + 100])
    with pytest.raises(DataError, match=r"behind member 'zebra/0.JPEG': truncated in member 'dog.tar'"):
        pack(cut, tmp_path / 'out')
    assert not (tmp_path / 'out').exists()


def test_a_damaged_header_is_an_error(tar_of_tars, tmp_path):
    whole = bytearray(tar_of_tars.read_bytes())
    whole[whole.index(b'cat.tar') + 3] ^= 1
    damaged = tmp_path / 'damaged.tar'
    damaged.write_bytes(bytes(whole))
    with tarfile.open(damaged) as tar:  # why tarfile alone will not do
        assert tar.getnames() == ['zebra.tar', 'dog.tar']
    with pytest.raises(DataError, match=r"behind member 'dog/0.JPEG': a header cannot be read \(bad checksum\)"):
        pack(damaged, tmp_path / 'out')


def test_damaged_compression(tar_of_tars, tmp_path):
    packed = bytearray(gzip.compress(tar_of_tars.read_bytes()))
    damaged = tmp_path / 'damaged.tar.gz'
    for content in (packed[:-4], packed[: len(packed) // 2], packed[:-8] + b'\0' + packed[-7:], b'no tar file'):
        damaged.write_bytes(bytes(content))
        with pytest.raises(DataError, match='damaged.tar.gz: a damaged tar file'):
            list(members(damaged))


def test_offsets_of_members(tar_of_tars):
    whole = tar_of_tars.read_bytes()
    count = 0
    files = (member for member in members(tar_of_tars) if member.kind == 'file')
    for count, member in enumerate(files, 1):  # noqa: B007
        assert whole[member.offset : member.offset + member.size] == member.read()
    assert count == 7


def test_many_members_take_little_memory(tmp_path):
    """tarfile keeps every member in memory: about 1 kB each."""
    import tracemalloc

    path = tar_of(tmp_path / 'many.tar', {f'{number}.png': b'' for number in range(1000)})
    tracemalloc.start()
    count = sum(1 for _ in members(path))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == 1000
    assert peak < 200_000, peak
