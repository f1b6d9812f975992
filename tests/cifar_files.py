"""CIFAR-10 and CIFAR-100 of a few images, written from the description of their formats, with struct and pickle."""

import pickle
import struct
import tarfile

import numpy as np

FINE = [f'fine {number}' for number in range(100)]
COARSE = [f'coarse {number}' for number in range(20)]
TEN = ['airplane', 'automobile', 'bird', 'cat', 'deer', 'dog', 'frog', 'horse', 'ship', 'truck']


def images_and_labels(seed, count, classes):
    random = np.random.RandomState(seed)
    return random.randint(0, 256, (count, 32, 32, 3)).astype(np.uint8), random.randint(0, classes, count)


def planes(images):
    """(N, 3072): all red values of an image, then green, then blue."""
    return np.stack([np.concatenate([image[..., channel].ravel() for channel in range(3)]) for image in images])


def python2_pickle(values):
    """A pickle of a dictionary of texts, lists of numbers or texts, and (N, M) bytes, as Python 2 writes it."""

    def text(value):
        return b'U' + struct.pack('<B', len(value)) + value

    def number(value):
        return b'K' + struct.pack('<B', value)

    def array(value):
        content = value.tobytes()
        return (
            b'cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\0\x85U\1b\x87R('
            b'K\1(M' + struct.pack('<H', value.shape[0]) + b'M' + struct.pack('<H', value.shape[1]) + b't'
            b'cnumpy\ndtype\nU\2u1K\0K\1\x87R(K\3U\1|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\0tb'
            b'I00\nT' + struct.pack('<i', len(content)) + content + b'tb'
        )  # fmt: skip

    def any_of(value):
        if isinstance(value, np.ndarray):
            return array(value)
        if isinstance(value, list):
            return b'](' + b''.join(map(any_of, value)) + b'e'
        return number(value) if isinstance(value, int) else text(value)

    items = b''.join(text(key) + any_of(value) for key, value in values.items())
    return b'\x80\x02}(' + items + b'u.'


def write_cifar(folder, hundred=False, python=None, fortran=False):
    """Write a data set in a version: ``python`` is None for the one for C, else 2 or the protocol of Python 3."""
    folder.mkdir(parents=True, exist_ok=True)
    names = {'train': [f'data_batch_{n}' for n in range(1, 6)], 'val': ['test_batch']}
    names = {'train': ['train'], 'val': ['test']} if hundred else names
    found = {}
    for split, files in names.items():
        made = []
        for number, name in enumerate(files):
            images, fine = images_and_labels([number, split == 'val'], 7, 100 if hundred else 10)
            coarse = fine // 5
            made.append((images, fine, coarse))
            if python is None:
                rows = zip(images, fine.tolist(), coarse.tolist())
                records = [bytes([c, f] if hundred else [f]) + planes([image])[0].tobytes() for image, f, c in rows]
                (folder / f'{name}.bin').write_bytes(b''.join(records))
                continue
            labels = {b'fine_labels': fine.tolist(), b'coarse_labels': coarse.tolist()}
            data = np.asfortranarray(planes(images)) if fortran else planes(images)
            values = {
                b'batch_label': b'a batch', b'data': data, **(labels if hundred else {b'labels': fine.tolist()}),
                b'filenames': [b'x_%06d.png' % n for n in range(len(fine))],
            }  # fmt: skip
            (folder / name).write_bytes(python2_pickle(values) if python == 2 else _pickled(values, python))
        found[split] = tuple(np.concatenate(each) for each in zip(*made))
    _write_names(folder, hundred, python)
    return found


def _pickled(values, protocol):
    return pickle.dumps({key.decode(): value for key, value in values.items()}, protocol=protocol)


def _write_names(folder, hundred, python):
    if python is None:
        files = (
            {'fine_label_names.txt': FINE, 'coarse_label_names.txt': COARSE} if hundred else {'batches.meta.txt': TEN}
        )
        for name, lines in files.items():
            (folder / name).write_text('\n'.join(lines) + '\n\n')
        return
    values = {'fine_label_names': FINE, 'coarse_label_names': COARSE} if hundred else {'label_names': TEN}
    encoded = {key.encode(): [name.encode() for name in names] for key, names in values.items()}
    content = python2_pickle(encoded) if python == 2 else pickle.dumps(values, protocol=python)
    (folder / ('meta' if hundred else 'batches.meta')).write_bytes(content)


def archived(folder, path):
    """The folder as an archive."""
    with tarfile.open(str(path), 'w:gz' if path.suffix == '.gz' else 'w') as archive:
        archive.add(str(folder), folder.name)
    return path
