"""Folders that cannot be written to are refused before there are predictions."""

import pytest

from gluon_cbam.common.errors import TransferError, UsageError
from gluon_cbam.detection.annotations import Annotations
from gluon_cbam.detection.drawn_pictures import DrawnPictures, drawn_boxes


@pytest.mark.parametrize('place', ['file', 'file/below'])
@pytest.mark.parametrize(
    'make',
    [lambda folder: DrawnPictures(folder, drawn_boxes(('a',))), lambda folder: Annotations(folder, 'coco', ('a',))],
    ids=['pictures', 'annotations'],
)
def test_a_file_in_the_place_of_a_folder(tmp_path, place, make):
    (tmp_path / 'file').write_text('x')
    with pytest.raises((TransferError, UsageError), match='file'):
        make(tmp_path / place)
    assert (tmp_path / 'file').read_text() == 'x'
