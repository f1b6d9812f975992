"""Threads in place of processes that evaluate together."""

import threading

import numpy as np


class ThreadGroup:
    """A process group of threads."""

    def __init__(self, rank, size, shared, barrier):
        self.rank, self.size, self._shared, self._barrier = rank, size, shared, barrier

    def gather(self, values):
        self._barrier.wait()
        self._shared[self.rank] = np.array(values)
        self._barrier.wait()
        return list(self._shared)

    def sum(self, values):
        return np.sum(self.gather(values), axis=0)


def in_group(size, run):
    """The results of ``run(rank, group)`` by as many threads; the group of a single one is None."""
    shared, barrier, found = [None] * size, threading.Barrier(size, timeout=300), [None] * size

    def one(rank):
        found[rank] = run(rank, ThreadGroup(rank, size, shared, barrier) if size > 1 else None)

    threads = [threading.Thread(target=one, args=(rank,)) for rank in range(size)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found
