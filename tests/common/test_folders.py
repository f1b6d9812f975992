"""Folders for results."""

import os
import sys
from pathlib import Path

import pytest

from gluon_cbam.common.errors import TransferError, UsageError
from gluon_cbam.common.files import refuse_existing
from gluon_cbam.common.folders import made_folder, refuse_missing_folders, refuse_unwritable, temporary_folder


def test_a_failure_removes_what_was_made(tmp_path):
    (tmp_path / 'there').mkdir()
    for inside in ('there', 'there/new', 'new/inner'):
        with pytest.raises(KeyboardInterrupt), made_folder(tmp_path / inside) as folder:
            assert folder.is_dir()
            raise KeyboardInterrupt
        assert [path.name for path in tmp_path.rglob('*')] == ['there']


def test_a_failure_keeps_what_is_in_a_folder(tmp_path):
    with pytest.raises(ValueError), made_folder(tmp_path / 'new' / 'inner') as folder:
        (folder.parent / 'file').write_text('another process wrote it')
        raise ValueError
    assert not folder.exists() and (tmp_path / 'new' / 'file').exists()


def test_a_folder_that_cannot_be_made_leaves_nothing(tmp_path):
    with pytest.raises(OSError), made_folder(tmp_path / 'new' / ('n' * 300)):
        pass
    assert not (tmp_path / 'new').exists()
    with made_folder(tmp_path / 'new' / 'inner'):
        pass
    assert (tmp_path / 'new' / 'inner').is_dir()


def test_a_temporary_folder_ends_with_its_block(tmp_path):
    with temporary_folder(tmp_path, '.part-') as folder:
        (folder / 'file').write_text('x')
        assert folder.parent == tmp_path and folder.name.startswith('.part-') and folder.stat().st_mode & 0o77 == 0
    assert list(tmp_path.iterdir()) == []


def test_a_signal_while_a_temporary_folder_is_made_leaves_nothing(tmp_path, monkeypatch):
    make = Path.mkdir

    def interrupted(folder, *arguments, **named):
        make(folder, *arguments, **named)
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, 'mkdir', interrupted)
    with pytest.raises(KeyboardInterrupt), temporary_folder(tmp_path, '.part-'):
        pass
    assert list(tmp_path.iterdir()) == []


def test_places_that_cannot_be_written_are_found_before_the_work(tmp_path):
    (tmp_path / 'file').write_text('')
    (tmp_path / 'folder').mkdir()
    for overwrite in (False, True):
        refuse_existing([tmp_path / 'folder' / 'new', tmp_path / 'made' / 'later' / 'new'], overwrite)
        for below in ('file/report.html', 'file/plots/report.html'):
            with pytest.raises(TransferError, match='file is no folder, so that .*report.html cannot be written'):
                refuse_existing([tmp_path / 'new', tmp_path / below], overwrite)
    with pytest.raises(UsageError, match='folder is a folder, where a file is to be written'):
        refuse_existing([tmp_path / 'folder'], overwrite=True)
    refuse_missing_folders([tmp_path / 'folder' / 'new'])
    for missing in ('none/results.json', 'file/results.json'):
        with pytest.raises(UsageError, match='results.json cannot be written: there is no folder'):
            refuse_missing_folders([tmp_path / missing])


@pytest.mark.skipif(not sys.platform.startswith('linux'), reason='the folder is of Linux')
@pytest.mark.parametrize('place', ['/proc/x', '/proc/x/y/z'])
def test_a_file_system_that_takes_no_files(place):
    """The permissions of /proc do not tell root so."""
    with pytest.raises(TransferError, match='no file can be made in /proc: '):
        refuse_unwritable(place)
    for overwrite in (False, True):
        with pytest.raises(TransferError, match='no file can be made in /proc: '):
            refuse_existing([f'{place}/report.html'], overwrite)


@pytest.mark.skipif(not hasattr(os, 'geteuid') or os.geteuid() == 0, reason='root may write everywhere')
def test_a_folder_without_permission(tmp_path):
    (tmp_path / 'locked').mkdir(mode=0o500)
    with pytest.raises(TransferError, match='no file can be made in .*locked: Permission denied'):
        refuse_unwritable(tmp_path / 'locked' / 'new')


def test_the_check_leaves_nothing(tmp_path):
    refuse_unwritable(tmp_path / 'new' / 'inner')
    assert list(tmp_path.iterdir()) == []
