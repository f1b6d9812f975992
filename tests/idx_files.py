"""Files in the format IDX of MNIST, written from its description with struct."""

import gzip
import struct

import numpy as np

TYPES = {'u1': 0x08, 'i1': 0x09, 'i2': 0x0B, 'i4': 0x0C, 'f4': 0x0D, 'f8': 0x0E}


def idx_bytes(array):
    """The bytes of a file of an array."""
    kind = TYPES[array.dtype.str[1:]]
    header = struct.pack(f'>BBBB{array.ndim}I', 0, 0, kind, array.ndim, *array.shape)
    return header + array.astype(array.dtype.newbyteorder('>')).tobytes()


def write_idx(path, array):
    """Write a file; gzipped if its name says so."""
    path.parent.mkdir(parents=True, exist_ok=True)
    content = idx_bytes(array)
    path.write_bytes(gzip.compress(content) if path.suffix == '.gz' else content)
    return path


def write_mnist(folder, counts=(('train', 7), ('t10k', 4)), end='-idx{}-ubyte.gz', prefix='', classes=3, first=0):
    """Write images of 5 x 6 pixels and their labels; returns split -> (images, labels)."""
    random, found = np.random.RandomState(5), {}
    for split, count in counts:
        images = random.randint(0, 256, (count, 5, 6)).astype(np.uint8)
        labels = (np.arange(count) % classes + first).astype(np.uint8)
        write_idx(folder / f'{prefix}{split}-images{end.format(3)}', images)
        write_idx(folder / f'{prefix}{split}-labels{end.format(1)}', labels)
        found[split] = images, labels
    return found
