"""Folders for results."""

import pytest

from gluon_cbam.common.folders import made_folder


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
