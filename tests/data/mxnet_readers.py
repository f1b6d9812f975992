"""Results of MXNet's own readers for record files; run as a program, since some readers crash the process.

Arguments: the files. Prints a JSON object: file -> reader -> what became of it, one of ``killed``, ``hung``, ``error``
or the number of images that it gave without a word.
"""

import json
import os
import signal
import sys
from pathlib import Path

import gluon_cbam  # noqa: F401 (prepares the import of mxnet)

import mxnet as mx  # isort: skip

PATIENCE = 30  # seconds


def iterate(path, **arguments):
    reader = mx.io.ImageRecordIter(
        path_imgrec=str(path),
        data_shape=(3, 16, 16),
        batch_size=4,
        round_batch=True,
        verbose=False,
        preprocess_threads=1,
        **arguments,
    )
    return sum(batch.data[0].shape[0] - batch.pad for batch in reader)


def shuffled(path):
    """Read as in training. With ``resize``, an image that cannot be decoded gives a division by zero."""
    return iterate(path, path_imgidx=str(path.with_suffix('.idx')), shuffle=True, resize=16)


def dataset(path):
    records = mx.gluon.data.vision.ImageRecordDataset(str(path))
    return sum(records[number][0].shape[2] == 3 for number in range(len(records)))


READERS = {'iterator': iterate, 'shuffled': shuffled, 'dataset': dataset}


def outcome(reader, path):
    """Try a reader in a fork of this process, which has imported mxnet once for all."""
    inlet, outlet = os.pipe()
    child = os.fork()
    if child == 0:
        signal.alarm(PATIENCE)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        try:
            outcome = str(reader(path))
        except Exception:
            outcome = 'error'
        os.write(outlet, outcome.encode())
        os._exit(0)
    os.close(outlet)
    with open(inlet) as file:
        outcome = file.read()
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGALRM:
        return 'hung'
    return 'killed' if status or not outcome else outcome


print(
    json.dumps({name: {kind: outcome(reader, Path(name)) for kind, reader in READERS.items()} for name in sys.argv[1:]})
)
