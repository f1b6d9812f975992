"""Pictures in columns: boxes stay with their pictures, whatever is chosen, dropped or added out of order."""

import numpy as np
import pytest

from gluon_cbam.data.boxes.columns import BoxRows

COUNTS = [2, 0, 3, 1, 0, 4]


def made(seed=None):
    """Pictures 0, 1, ... with as many boxes as COUNTS says; a box tells its picture and its place in it."""
    rows = BoxRows()
    for number in range(len(COUNTS)):
        rows.image(f'{number}.jpg', 100 + number, 200 + number, 10 * number)
    boxes = [(picture, place) for picture, count in enumerate(COUNTS) for place in range(count)]
    order = range(len(boxes)) if seed is None else np.random.RandomState(seed).permutation(len(boxes))
    for index in order:
        picture, place = boxes[index]
        rows.box(picture, (picture, place, picture + 50, place + 50), picture, 100 * picture + place,
                 place == 1, place == 2, 7 + place)  # fmt: skip
    return rows.columns()


def told(columns):
    """{picture: places of its boxes}; every column must tell the same."""
    found = {}
    for index, image in enumerate(columns):
        number = int(image.name.split('.')[0])
        assert (image.height, image.width, image.id) == (100 + number, 200 + number, 10 * number)
        places = image.boxes.corners[:, 1].astype(int)
        assert image.boxes.corners[:, 0].tolist() == image.boxes.classes.tolist() == [number] * len(places)
        assert image.boxes.difficult.tolist() == (places == 1).tolist()
        assert image.boxes.crowd.tolist() == (places == 2).tolist()
        assert image.boxes.areas.tolist() == (7 + places).tolist()
        numbers = columns.numbers[columns.bounds[index] : columns.bounds[index + 1]]
        assert numbers.tolist() == (100 * number + places).tolist()
        found[number] = sorted(places.tolist())
    return found


ALL = {number: list(range(count)) for number, count in enumerate(COUNTS)}


@pytest.mark.parametrize('seed', [None, 0, 1])
def test_boxes_may_come_in_any_order(seed):
    columns = made(seed)
    assert told(columns) == ALL
    assert columns.counts.tolist() == COUNTS
    assert columns.owners.tolist() == np.repeat(np.arange(6), COUNTS).tolist()


@pytest.mark.parametrize('pictures', [[5, 0, 3], [1, 4], [2, 2, 1, 0], [], [3, 4, 5, 0, 1, 2]])
def test_chosen_pictures_keep_their_boxes(pictures):
    columns = made().chosen(np.array(pictures, np.int64))
    assert [int(name.split('.')[0]) for name in columns.names] == pictures
    assert told(columns) == {number: ALL[number] for number in pictures}


@pytest.mark.parametrize('dropped', [{(0, 0)}, {(2, 1), (5, 0), (5, 3)}, {(3, 0)}, set()])
def test_dropped_boxes_leave_the_others_with_their_pictures(dropped):
    columns = made()
    which = [(picture, place) not in dropped for picture, count in enumerate(COUNTS) for place in range(count)]
    expected = {n: [place for place in places if (n, place) not in dropped] for n, places in ALL.items()}
    assert told(columns.with_boxes(np.array(which))) == expected


def test_single_pictures_and_slices():
    columns = made()
    assert columns[-1].name == '5.jpg'
    assert [image.name for image in columns[1:4]] == ['1.jpg', '2.jpg', '3.jpg']
    with pytest.raises(IndexError):
        columns[6]


def test_numbers_for_pictures_without_ids():
    columns = made()
    assert columns.numbered().ids.tolist() == [0, 10, 20, 30, 40, 50]
    columns.ids = None
    assert columns.numbered().ids.tolist() == [1, 2, 3, 4, 5, 6]
    columns.ids = np.zeros(6, np.int64)  # as some tools write records
    assert columns.numbered().ids.tolist() == [1, 2, 3, 4, 5, 6]
