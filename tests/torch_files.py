"""A small writer of PyTorch files, in both formats, so that tests need no torch."""

import struct
import zipfile

import numpy as np

GLOBAL = b'c%s\n%s\n'
LEGACY_BEGIN = b'\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.' + b'\x80\x02M\xe9\x03.' + b'\x80\x02}.'


def text(value):
    return b'X' + struct.pack('<I', len(value)) + value.encode()


def number(value):
    return b'J' + struct.pack('<i', value) if value < 2**31 else b'\x8a\x10' + value.to_bytes(16, 'little')


def numbers(values):
    return b'(' + b''.join(map(number, values)) + b't'


def tensor(key, shape, count=None, strides=None, offset=0, kind=b'FloatStorage', rebuild=b'_rebuild_tensor_v2'):
    """The pickle's part of a tensor; what is not given is that of a whole storage."""
    count = int(np.prod(shape)) if count is None else count
    strides = [int(np.prod(shape[axis + 1 :])) for axis in range(len(shape))] if strides is None else strides
    storage = b'(' + text('storage') + GLOBAL % (b'torch', kind) + text(key) + text('cuda:0') + number(count) + b'tQ'
    rest = number(offset) + numbers(shape) + numbers(strides) + b'\x89' + GLOBAL % (b'collections', b'OrderedDict')
    return GLOBAL % (b'torch._utils', rebuild) + b'(' + storage + rest + b')RtR'


def mapping(entries):
    """The pickle's part of a dictionary of parts."""
    return b'}(' + b''.join(text(name) + part for name, part in entries.items()) + b'u'


def write(path, value, storages, legacy=False):
    """A file of a pickle's part and of arrays by key."""
    if legacy:
        keys = b'\x80\x02](' + b''.join(map(text, storages)) + b'e.'
        data = b''.join(struct.pack('<q', array.size) + array.tobytes() for array in storages.values())
        value = value.replace(b'tQ', b'NtQ')  # a reference to a storage has a sixth entry there: no view
        path.write_bytes(LEGACY_BEGIN + b'\x80\x02' + value + b'.' + keys + data)
        return
    with zipfile.ZipFile(path, 'w') as archive:
        archive.writestr('archive/data.pkl', b'\x80\x02' + value + b'.')
        archive.writestr('archive/version', '3\n')
        for key, array in storages.items():
            archive.writestr(f'archive/data/{key}', array.tobytes())


def write_state_dict(path, arrays, legacy=False):
    """A checkpoint of float32 arrays by name, as a training script saves it."""
    storages = {str(index): np.float32(array) for index, array in enumerate(arrays.values())}
    tensors = {name: tensor(key, array.shape) for (name, array), key in zip(arrays.items(), storages)}
    write(path, mapping({'epoch': number(100), 'state_dict': mapping(tensors)}), storages, legacy)
