"""Prefetched results, in order."""

import threading
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

import pytest

from gluon_cbam.common.parallel import ordered_map


@pytest.mark.parametrize('group_size', [1, 3, 50])
def test_results_are_in_order_and_bounded(group_size):
    begun = []
    with ThreadPoolExecutor(4) as pool:
        results = ordered_map(pool, lambda item: begun.append(item) or -item, range(20), 6, group_size)
        for number, result in enumerate(results):
            assert result == -number
            assert len(begun) <= number + 6 + 1


def test_it_waits_for_the_last_of_a_group():
    """A consumer of four results wakes up when the fourth is computed, not at the first."""
    first, last = threading.Event(), threading.Event()

    def work(item):
        if item == 0:
            first.set()
        elif item == 3:
            last.wait(20)
        return item

    taken = []
    with ThreadPoolExecutor(4) as pool:
        results = ordered_map(pool, work, range(8), 8, 4)
        taker = threading.Thread(target=lambda: taken.extend(islice(results, 4)))
        taker.start()
        assert first.wait(20)
        assert taken == []
        last.set()
        taker.join(20)
        assert taken == [0, 1, 2, 3]
        assert list(results) == [4, 5, 6, 7]


def test_an_error_is_raised_in_place_of_its_result():
    with ThreadPoolExecutor(2) as pool:
        results = ordered_map(pool, lambda item: 1 // (item - 2), range(8), 8, 4)
        assert [next(results), next(results)] == [-1, -1]
        with pytest.raises(ZeroDivisionError):
            next(results)
