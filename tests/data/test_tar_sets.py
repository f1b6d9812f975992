"""Sets of boxes and masks in tar files give what the same folders give, and what cannot be followed is refused."""

import errno
import gc
import gzip
import io
import json
import os
import shutil
import tarfile
import tempfile
import tracemalloc

import box_files
import cv2
import mask_files
import numpy as np
import pytest
from checks import assert_one_line

from gluon_cbam.common.errors import DataError, TransferError, UsageError
from gluon_cbam.common.files import open_regular, read_regular
from gluon_cbam.data.boxes.formats import read_boxes, recognize
from gluon_cbam.data.boxes.reading import read_options
from gluon_cbam.data.boxes.writing import WRITERS
from gluon_cbam.data.class_masks.formats import read_masks
from gluon_cbam.data.preparation.box_converting import convert_boxes
from gluon_cbam.data.preparation.box_packing import PackOptions, pack_boxes
from gluon_cbam.data.preparation.mask_lists import list_masks
from gluon_cbam.data.preparation.mask_packing import pack_masks
from gluon_cbam.data.sources.file_paths import images_below, matching, open_path
from gluon_cbam.data.sources.folder_walk import walk
from gluon_cbam.data.sources.layouts import read_source
from gluon_cbam.data.sources.tar_index import TarIndex
from gluon_cbam.data.sources.tar_paths import TarPath

COMMANDS = [(kind, command) for kind in ('boxes', 'masks') for command in ('check', 'stats', 'list', 'draw')]
COMMANDS.append(('boxes', 'convert'))  # masks are not converted
MASKS = {'folders': mask_files.folders, 'voc': mask_files.voc, 'cityscapes': mask_files.cityscapes,
         'coco': mask_files.coco}  # fmt: skip


@pytest.fixture(scope='module')
def boxes(tmp_path_factory):
    """Format -> a folder with the same two splits."""
    root = tmp_path_factory.mktemp('boxes')
    for split, shift in (('train', 0), ('val', 1)):
        box_files.pictures(root / 'first' / split)
        box_files.text(root / 'first' / f'{split}.csv', ''.join(
            f'{split}/{name},{label},{x + shift},2,30,30\n' for name, label, x in
            (('a.jpg', 'Dog', 1), ('a.jpg', 'cat', 5), ('c.jpg', 'cat', 3))
        ) + f'{split}/b.png,,,,,\n')  # fmt: skip
    for target in WRITERS:
        convert_boxes(root / 'first', root / target, target)
    box_files.text(root / 'voc' / 'JPEGImages' / 'notes.txt', 'a note')
    return root


def tarred(folder, path, inside='.', backwards=False):
    """A tar file of a folder."""
    with tarfile.open(path, f'w:{path.suffix[1:]}' if path.suffix != '.tar' else 'w') as tar:
        for each in sorted(folder.rglob('*'), reverse=backwards):
            tar.add(each, f'{inside}/{each.relative_to(folder)}', recursive=False)
    return path


def tar_of(path, *members):
    """A tar file of (name, type, bytes or the name that a link has)."""
    with tarfile.open(path, 'w') as tar:
        for name, kind, content in members:
            info = tarfile.TarInfo(name)
            info.type = kind
            if kind == tarfile.REGTYPE:
                info.size = len(content)
            else:
                info.linkname = content
            tar.addfile(info, io.BytesIO(content) if kind == tarfile.REGTYPE else None)
    return path


def value_of(process):
    assert process.returncode == 0, process.stderr
    return json.loads(process.stdout)


def files_of(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize('form', WRITERS)
@pytest.mark.parametrize(
    ('name', 'inside'), [('a.tar', '.'), ('b.tar', 'deep/VOCdevkit'), ('c.tar.gz', 'set')]
)  # fmt: skip
def test_boxes_in_a_tar_file_equal_those_in_the_folder(boxes, tmp_path, form, name, inside):
    source = tarred(boxes / form, tmp_path / name, inside, backwards=True)
    before = set(tmp_path.iterdir())
    found, expected = pack_boxes(source, tmp_path / 'tar'), pack_boxes(boxes / form, tmp_path / 'folder')
    assert files_of(tmp_path / 'tar') == files_of(tmp_path / 'folder')
    assert (found.boxes.format, found.boxes.left_out.counts) == (form, expected.boxes.left_out.counts)
    assert sum(file.boxes for file in found.files) == 6, 'nothing would be compared'
    assert set(tmp_path.iterdir()) - before == {tmp_path / 'tar', tmp_path / 'folder'}, 'something was unpacked'


@pytest.mark.parametrize('form', MASKS)
@pytest.mark.parametrize(('name', 'inside'), [('a.tar', '.'), ('b.tar', 'deep/VOC2012'), ('c.tar.xz', 'set')])
def test_masks_in_a_tar_file_equal_those_in_the_folder(tmp_path, form, name, inside):
    folder = MASKS[form](tmp_path / 'set')
    source = tarred(folder, tmp_path / name, inside, backwards=True)
    found = pack_masks(source, tmp_path / 'tar', options=PackOptions(workers=2))
    pack_masks(folder, tmp_path / 'folder')
    assert files_of(tmp_path / 'tar') == files_of(tmp_path / 'folder')
    assert found.masks.format == form and found.files[0].records > 0


def test_several_years_in_tar_files_in_a_tar_file(boxes, tmp_path):
    """As ILSVRC's tar file of tar files: one inside another is a folder with its name."""
    for year in ('VOC2007', 'VOC2012'):
        tarred(boxes / 'voc', tmp_path / f'{year}.tar')
        (tmp_path / 'devkit' / year).mkdir(parents=True)
        with tarfile.open(tmp_path / f'{year}.tar') as tar:
            tar.extractall(tmp_path / 'devkit' / year)
    years = [
        (f'{year}.tar', tarfile.REGTYPE, (tmp_path / f'{year}.tar').read_bytes()) for year in ('VOC2012', 'VOC2007')
    ]
    pack_boxes(tar_of(tmp_path / 'devkit.tar', *years), tmp_path / 'tar')
    pack_boxes(tmp_path / 'devkit', tmp_path / 'folder')
    assert files_of(tmp_path / 'tar') == files_of(tmp_path / 'folder')
    pack_boxes(f'{tmp_path / "devkit.tar"}/VOC2007', tmp_path / 'year')
    pack_boxes(boxes / 'voc', tmp_path / 'one')
    assert files_of(tmp_path / 'year') == files_of(tmp_path / 'one')


@pytest.mark.parametrize(('kind', 'command'), COMMANDS)
def test_commands(boxes, tmp_path, cbam_here, kind, command):
    folder = boxes / 'yolo' if kind == 'boxes' else mask_files.voc(tmp_path / 'set')
    outcomes = []
    for number, source in enumerate((folder, tarred(folder, tmp_path / 'set.tar'))):
        output = tmp_path / f'output_{number}'
        arguments = {'list': [output / 'all.lst'], 'convert': [output, '--to', 'coco'], 'draw': [output]}
        flags = ['--masks'] if kind == 'masks' else []
        value = value_of(cbam_here('data', command, source, *arguments.get(command, []), *flags, '--json'))
        text = json.dumps(value).replace(str(source), 'SOURCE').replace(str(output), 'OUTPUT')
        written = {path.relative_to(output): path.read_bytes() for path in output.rglob('*') if path.is_file()}
        outcomes.append((text, written))
    assert outcomes[0] == outcomes[1]
    assert bool(outcomes[1][1]) == (command in arguments)


def test_a_list_chooses_from_a_tar_file(boxes, tmp_path, cbam_here):
    source = tarred(boxes / 'csv', tmp_path / 'set.tar', 'csv')
    assert cbam_here('data', 'list', source, tmp_path / 'all').returncode == 0
    assert '\tcsv/train/a.jpg\n' in (tmp_path / 'all_train.lst').read_text()
    for number, root in enumerate((source, boxes)):
        pack_boxes(tmp_path / 'all_train.lst', tmp_path / str(number), root=root)
    assert files_of(tmp_path / '0') == files_of(tmp_path / '1')
    masks = tarred(mask_files.folders(tmp_path / 'masks'), tmp_path / 'masks.tar', 'masks')
    list_masks(masks, tmp_path / 'lists' / 'all')
    for number, root in enumerate((masks, tmp_path)):
        pack_masks(tmp_path / 'lists' / 'all.lst', tmp_path / f'masks_{number}', root=root)
    assert files_of(tmp_path / 'masks_0') == files_of(tmp_path / 'masks_1')


def test_what_macos_adds_beside_the_set_is_passed_over(boxes, tmp_path):
    path = tarred(boxes / 'yolo', tmp_path / 'set.tar', 'coco128')
    with tarfile.open(path, 'a') as tar:
        for name in ('__MACOSX/coco128/._classes.txt', '.DS_Store'):
            tar.addfile(tarfile.TarInfo(name))
    assert box_files.rows(read_boxes(path)) == box_files.rows(read_boxes(boxes / 'yolo'))


def test_annotations_beside_a_tar_file_of_pictures(boxes, tmp_path):
    pictures = tarred(boxes / 'csv' / 'train', tmp_path / 'train.tar', 'train')
    table = box_files.text(tmp_path / 'boxes.csv', (boxes / 'csv' / 'train.csv').read_text())
    found, expected = (read_boxes(table, options=read_options(root, None)) for root in (pictures, boxes / 'csv'))
    assert box_files.rows(found) == box_files.rows(expected) and len(found.parts[0].columns) == 3
    box_files.text(table, 'path,class,xmin,ymin,xmax,ymax\ntrain/d.jpg,cat,1,2,3,4\n')
    with pytest.raises(DataError, match=r'train\.tar/train/d\.jpg: there is no such picture'):
        pack_boxes(table, tmp_path / 'out', root=pictures)


PICTURE = cv2.imencode('.jpg', np.zeros((48, 64, 3), np.uint8))[1].tobytes()
A_PICTURE = ('set/images/a.jpg', tarfile.REGTYPE, b'no picture')
A_LABEL = ('set/labels/a.txt', tarfile.REGTYPE, b'0 .5 .5 1 1\n')
REFUSED = {
    'a link': (('set/images/b.jpg', tarfile.SYMTYPE, 'a.jpg'), "member 'set/images/b.jpg' is a link"),
    'a hard link': (('set/images/b.jpg', tarfile.LNKTYPE, A_PICTURE[0]), "member 'set/images/b.jpg' is a link"),
    'a path upward': (('set/../../b.jpg', tarfile.REGTYPE, b''), "member '../b.jpg' leads out of the tar file"),
    'a member twice': (('./set//images/a.jpg', tarfile.REGTYPE, b'more'), "member 'set/images/a.jpg' occurs twice"),
    'a file and a folder': (('set/images', tarfile.REGTYPE, b''), "member 'set/images' is a file and a folder"),
}


@pytest.mark.parametrize('ending', ['.tar', '.tar.gz'])
@pytest.mark.parametrize('case', REFUSED)
def test_members_that_cannot_be_followed_are_refused(tmp_path, cbam_here, case, ending):
    member, message = REFUSED[case]
    path = tar_of(tmp_path / 'set.tar', A_PICTURE, A_LABEL, member)
    if ending != '.tar':
        path = path.with_suffix(ending)
        path.write_bytes(gzip.compress((tmp_path / 'set.tar').read_bytes()))
    line = assert_one_line(cbam_here('data', 'pack', path, tmp_path / 'rec', '--skip-bad'), 4)
    assert f'{path}: {message}' in line
    assert not (tmp_path / 'rec').exists()


@pytest.mark.parametrize(
    'command',
    ['pack OUT', 'list OUT', 'pack OUT --masks', 'pack OUT --format coco', 'convert OUT --to voc', 'draw OUT'],
)
def test_a_tar_file_whose_members_all_lead_out_of_it_says_so(tmp_path, cbam_here, command):
    members = [(f'{place}/{number}.jpg', tarfile.REGTYPE, PICTURE) for number, place in enumerate(('..', 'a/../../b'))]
    name, *options = command.replace('OUT', str(tmp_path / 'out')).split()
    for ending in ('.tar', '.tar.gz'):
        path = tar_of(tmp_path / 'set.tar', *members)
        if ending != '.tar':
            path = tmp_path / 'set.tar.gz'
            path.write_bytes(gzip.compress((tmp_path / 'set.tar').read_bytes()))
        line = assert_one_line(cbam_here('data', name, path, *options), 4)
        assert f"{path}: member '../0.jpg' leads out of the tar file: write it without .." in line
        assert not list(tmp_path.glob('out*'))


def test_members_that_lead_out_of_a_tar_file_of_classes_are_counted(tmp_path):
    names = ('../cat/0.jpg', 'cat/1.jpg', 'cat/../../dog/2.jpg', 'dog/3.jpg')
    path = tar_of(tmp_path / 'set.tar', *((name, tarfile.REGTYPE, PICTURE) for name in names))
    found = read_source(path)
    assert (found.classes, [found.parts[0].image(number) for number in (0, 1)]) == (
        ['cat', 'dog'],
        ['cat/1.jpg', 'dog/3.jpg'],
    )
    assert found.left_out.as_dict() == {'outside': {'count': 2, 'first': '../cat/0.jpg'}}


@pytest.mark.parametrize('flag', [(), ('--masks',)])
def test_a_truncated_tar_file_is_refused(boxes, tmp_path, cbam_here, flag):
    folder = mask_files.voc(tmp_path / 'set') if flag else boxes / 'voc'
    path = tarred(folder, tmp_path / 'set.tar')
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2 // 512 * 512])
    line = assert_one_line(cbam_here('data', 'pack', path, tmp_path / 'rec', *flag), 4)
    assert 'set.tar: a damaged tar file behind member' in line
    assert not (tmp_path / 'rec').exists()


def test_the_temporary_file_of_a_compressed_set_is_removed(boxes, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, 'tempdir', str(tmp_path / 'temporary'))
    (tmp_path / 'temporary').mkdir()
    index = TarIndex(tarred(boxes / 'csv', tmp_path / 'set.tar.gz'))
    with tarfile.open(index.path) as tar:
        assert TarPath(index, 'train.csv').open_regular().read() == tar.extractfile('./train.csv').read()
    assert [path.stat().st_mode & 0o77 for path in (tmp_path / 'temporary').iterdir()] == [0], 'others could read it'
    del index
    gc.collect()
    assert not list((tmp_path / 'temporary').iterdir())
    monkeypatch.setattr(shutil, 'copyfileobj', full)
    with pytest.raises(TransferError, match=r'uncompressed\.tar was not written: No space left'):
        TarIndex(tmp_path / 'set.tar.gz').uncompressed  # noqa: B018 (it is made on first use)
    assert not list((tmp_path / 'temporary').iterdir())


def full(*arguments):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_member_that_changes_is_read_again(boxes, tmp_path):
    path = tarred(boxes / 'csv', tmp_path / 'set.tar')
    assert len(read_boxes(path).parts) == 2
    tarred(boxes / 'csv' / 'train', path)
    assert recognize(path) is None


def test_a_missing_picture_or_mask_is_named(boxes, tmp_path):
    folder = mask_files.voc(tmp_path / 'set')
    (folder / 'SegmentationClass' / 'a.png').unlink()
    (folder / 'JPEGImages' / 'b.jpg').unlink()
    path = tarred(folder, tmp_path / 'set.tar')
    with pytest.raises(
        DataError, match=r'2 pictures or masks missing \(.*set\.tar/SegmentationClass/a\.png: there is no'
    ):
        pack_masks(path, tmp_path / 'rec')
    assert [file.records for file in pack_masks(path, tmp_path / 'rec', splits=('val',)).files] == [1]


def test_records_in_a_tar_file_are_not_read(boxes, tmp_path):
    pack_boxes(boxes / 'csv', tmp_path / 'rec')
    path = tarred(tmp_path / 'rec', tmp_path / 'rec.tar')
    assert recognize(path) is None
    with pytest.raises(UsageError, match=r'rec\.tar is not detection records'):
        read_boxes(path, 'rec')
    with pytest.raises(UsageError, match=r'rec\.tar is of no known format of masks'):
        read_masks(path)


def test_paths_in_a_tar_file_are_those_of_the_folder(tmp_path):
    """Against pathlib and the walk over folders."""
    folder = tmp_path / 'set'
    for name in ('a/b/2.png', 'a/b.x/1.png', 'a/3.txt', 'a/.hidden/4.png', 'a/__MACOSX/5.png', 'c.png', 'a-b/6.JPG'):
        box_files.text(folder / name, name)
    (folder / 'empty').mkdir()
    root = open_path(tarred(folder, tmp_path / 'set.tar', backwards=True))
    assert images_below(root) == [entry.path for entry in walk(folder) if entry.kind == 'image']
    for pattern in ('*', '*/*', 'a/*.txt', '*/b*', '?/*/*.png', '*.none'):
        assert [str(path)[len(str(root)) :] for path in matching(root, pattern)] == [
            str(path)[len(str(folder)) :] for path in sorted(folder.glob(pattern))
        ], pattern
    for name in ('a', 'a/b/2.png', 'none', 'a/../c.png', '../set', 'empty', '.'):
        ours, theirs = root / name, folder / name
        if name != '../set':
            assert (ours.is_file(), ours.is_dir(), ours.exists()) == (
                theirs.is_file(),
                theirs.is_dir(),
                theirs.exists(),
            )
        assert (ours.name, ours.stem, ours.suffix) == (theirs.name, theirs.stem, theirs.suffix) or name == '.'
    assert not (root / '../set').exists() and not (root / str(folder)).exists()
    with open_regular(root / 'a' / '3.txt') as file:
        assert (file.seek(2), file.read(3), file.read(), file.read()) == (2, b'3.t', b'xt', b'')
    assert read_regular(root / 'a' / '3.txt', 7) == b'a/3.txt'
    with pytest.raises(DataError, match='larger than the 6 bytes'):
        read_regular(root / 'a' / '3.txt', 6)
    with pytest.raises(FileNotFoundError):
        open_regular(root / 'none')
    with pytest.raises(IsADirectoryError):
        open_regular(root / 'a')


@pytest.mark.parametrize('ending', ['.tar', '.tar.gz'])
def test_memory_does_not_grow_with_the_pictures(tmp_path, ending):
    """Sets of 4 and of 12 megabytes of pictures are read in the same memory."""
    table = b'path,class,xmin,ymin,xmax,ymax\n' + b''.join(b'%d.jpg,cat,1,2,3,4\n' % number for number in range(4))
    peaks = []
    for size in (1 << 20, 3 << 20):
        content = PICTURE + bytes(range(256)) * (size // 256)
        members = [(f'{number}.jpg', tarfile.REGTYPE, content) for number in range(4)]
        path = tar_of(tmp_path / f'{size}.tar', *members, ('train.csv', tarfile.REGTYPE, table))
        if ending != '.tar':
            path.with_suffix(ending).write_bytes(gzip.compress(path.read_bytes(), 1))
        tracemalloc.start()
        found = read_boxes(path.with_suffix(ending))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert found.parts[0].columns.sizes.tolist() == [[48, 64]] * 4
    assert peaks[1] < peaks[0] + (1 << 19) < 5 << 20, peaks
