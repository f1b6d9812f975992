"""A process group whose processes are threads."""

import threading

import mxnet as mx
import numpy as np

from gluon_cbam.training.distributed.collective import CollectiveGroup


class Thread(CollectiveGroup):
    """A worker that is a thread: sums in float32, as stores do."""

    def __init__(self, rank, meeting, table):
        super().__init__('threads')
        self.rank, self.size, self._meeting, self._table = rank, meeting.parties, meeting, table

    def _all_reduce(self, name, array):
        assert array.dtype == np.float32
        self._table[self.rank] = (name, array)
        self._meeting.wait(30)
        names, arrays = zip(*(self._table[rank] for rank in range(self.size)))
        assert len(set(names)) == 1, 'the workers are not at the same place'
        total = np.sum(arrays, axis=0, dtype=np.float32)
        self._meeting.wait(30)
        return mx.nd.array(total)

    def add(self, name, array):
        return self._all_reduce(name, array.asnumpy()).as_in_context(array.context)


def together(size, work):
    """The results of work(worker) in each of several workers, or the first error."""
    meeting, table, results = threading.Barrier(size), {}, [None] * size

    def run(rank):
        try:
            results[rank] = work(Thread(rank, meeting, table))
        except Exception as error:
            results[rank] = error

    threads = [threading.Thread(target=run, args=(rank,)) for rank in range(size)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results
