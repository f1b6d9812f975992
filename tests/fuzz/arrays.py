"""The readers of data sets of arrays."""

import pickle
import struct

import numpy as np
from cifar_files import TEN, planes, python2_pickle, write_cifar
from fuzz.reader import Reader
from idx_files import write_mnist
from scipy.io import savemat

from gluon_cbam.data.sources.layouts import read_source


def make_idx(file):
    def make(folder):
        write_mnist(folder, end='-idx{}-ubyte.gz' if file.endswith('.gz') else '-idx{}-ubyte')
        return folder / file

    return make


def make_cifar(file, python=None):
    def make(folder):
        write_cifar(folder, python=python)
        return folder / file

    return make


def make_svhn(folder):
    random = np.random.RandomState(0)
    values = {'X': random.randint(0, 256, (32, 32, 3, 4)).astype(np.uint8), 'y': np.uint8([[1], [2], [10], [3]])}
    savemat(str(folder / 'train_32x32.mat'), values, do_compression=True)
    return folder / 'train_32x32.mat'


def read_folder(path):
    read_source(path.parent)


def expanding(original):
    """Names of one text of 1 MB, made into bytes again and again."""
    text = b'X' + struct.pack('<I', 1_000_000) + b'a' * 1_000_000
    return (
        b'\x80\x02c_codecs\nencode\nq\x00'
        + text
        + b'q\x010]('
        + b'h\x00h\x01X\x06\x00\x00\x00latin1\x86R' * 5000
        + b'e.'
    )


def many_sizes(original):
    """An array of a shape of huge numbers."""
    return pickle.dumps({'data': np.zeros((1, 3072), np.uint8), 'labels': [1]}, 2).replace(
        b'M\x00\x0c', b'\x8a\x08' + b'\x7f' * 8
    )


_BATCH = python2_pickle({b'data': planes(np.zeros((1, 32, 32, 3), np.uint8)), b'labels': [0], b'n': [TEN[0].encode()]})
ARRAY_READERS = [
    Reader('images idx', make_idx('train-images-idx3-ubyte'), read_folder,
           [lambda original: original[:4] + b'\xff' * 12 + original[16:]]),
    Reader('images idx gz', make_idx('train-images-idx3-ubyte.gz'), read_folder),
    Reader('labels idx', make_idx('t10k-labels-idx1-ubyte'), read_folder),
    Reader('cifar binary', make_cifar('data_batch_2.bin'), read_folder),
    Reader('cifar names', make_cifar('batches.meta.txt'), read_folder),
    Reader('cifar of Python 2', make_cifar('data_batch_2', 2), read_folder, [expanding, lambda original: _BATCH[:-9]]),
    Reader('cifar of protocol 4', make_cifar('data_batch_2', 4), read_folder, [many_sizes]),
    Reader('cifar meta', make_cifar('batches.meta', 2), read_folder, [expanding]),
    Reader('svhn', make_svhn, read_folder),
]  # fmt: skip
