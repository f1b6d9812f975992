"""Collective operations with threads as processes, and the evaluation of a file by several processes."""

import mxnet as mx
import numpy as np
import pytest
from thread_group import together

from gluon_cbam import get_model
from gluon_cbam.common.errors import DataError
from gluon_cbam.data.loading.preprocessing import Preprocessing
from gluon_cbam.data.records.recordio import RecordFile
from gluon_cbam.tasks.classification.evaluation import evaluate
from gluon_cbam.training.distributed.process_group import ProcessGroup


def test_sums_are_exact():
    values = np.array([[0.1, 2**53 + 1, 1e-300], [0.2, -(2**53), np.inf], [1e16, 3, 1e300]])
    for total in together(3, lambda worker: worker.sum(values[worker.rank])):
        assert np.array_equal(total, values[0] + values[1] + values[2])
    assert np.isnan(together(2, lambda worker: worker.sum(np.array([np.nan, 1])))[1][0])


def test_means_keep_their_shapes():
    def work(worker):
        return worker.mean([np.full((2, 3), worker.rank, np.float32), np.ones(1, np.float32)])

    for first, second in together(3, work):
        assert np.array_equal(first, np.ones((2, 3)))
        assert np.array_equal(second, np.ones(1))


def test_a_signal_to_one_worker_reaches_all_at_the_same_step_once():
    def work(worker):
        return [worker.agree([worker.rank == 1 and step >= 3, False]) for step in range(12)]

    first, second, third = together(3, work)
    assert first == second == third
    assert [step for step, flags in enumerate(first) if flags[0]] == [7]
    assert not any(flags[1] for flags in first)


def test_workers_that_found_different_states():
    for error in together(2, lambda worker: worker._check_consistent(step=5 if worker.rank else 7)):
        assert isinstance(error, DataError)
        assert 'states of the steps [7, 5]: --output must be a folder that all of them share' in str(error)


@pytest.mark.parametrize('size', [2, 7])
def test_a_file_that_several_evaluate_counts_each_record_once(digits, size):
    mx.random.seed(1)
    net = get_model('cbamnet_tiny', classes=10)
    net.initialize()
    records, preprocessing = RecordFile(digits / 'val.rec'), Preprocessing(8, 1.0)
    whole = evaluate(net, records, preprocessing, [mx.cpu()], 50, 1)
    parts = together(
        size, lambda worker: evaluate(net, records, preprocessing, [mx.cpu()], 11, 1, process_group=worker)
    )
    for part in parts:
        assert (part.records, part.top1, part.top5) == (360, whole.top1, whole.top5)
        assert part.loss == pytest.approx(whole.loss, rel=1e-6)


def test_arrays_of_different_lengths_are_gathered():
    values = [np.array([[0.1, -np.inf]]), np.empty((0, 2)), np.arange(40_000.0).reshape(-1, 2)]
    for gathered in together(3, lambda worker: worker.gather(values[worker.rank])):
        assert all(np.array_equal(one, two) for one, two in zip(gathered, values))
        assert [len(one) for one in gathered] == [1, 0, 20_000]
    assert [one.shape for one in together(2, lambda worker: worker.gather(np.empty((0, 3))))[0]] == [(0, 3)] * 2
    assert [one.tolist() for one in ProcessGroup('device').gather([1, 2])] == [[1, 2]]
