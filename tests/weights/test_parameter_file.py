"""The structure of parameter files: every file of MXNet's passes, every damaged one is named before MXNet sees it."""

import struct

import mxnet as mx
import numpy as np
import pytest

from gluon_cbam import weights
from gluon_cbam.common.errors import DataError
from gluon_cbam.weights import parameter_file

V1, V2, V3 = (struct.pack('<I', 0xF993FAC8 + number) for number in range(3))
DEVICE = struct.pack('<iii', 1, 0, 0)  # cpu 0, float32
TWO = struct.pack('<ff', 1, 2)
DENSE = struct.pack('<i', 0)


def file_of(*arrays, names=(b'a', b'b'), magic=0x112, count=None):
    """The bytes of a file; ``count`` is the number of arrays that it claims."""
    head = struct.pack('<QQQ', magic, 0, len(arrays) if count is None else count)
    tail = b''.join(struct.pack('<Q', len(name)) + name for name in names[: len(arrays)])
    return head + b''.join(arrays) + struct.pack('<Q', min(len(names), len(arrays))) + tail


def array(*shape, axes=None, version=V2 + DENSE, dimension='q', device=DEVICE, data=TWO):
    axes = len(shape) if axes is None else axes
    return version + struct.pack(f'<i{len(shape)}{dimension}', axes, *shape) + device + data


GOOD = array(2)
VERSIONS = {
    'version 2': GOOD,
    'version 1': array(2, version=V1),
    'version 0': array(2, version=b'', dimension='I'),
    'saved on a GPU': array(2, device=struct.pack('<iii', 2, 7, 0)),
}
DAMAGE = {
    'empty': (b'', 'ends within its header'),
    'text': (b'<html><body>404 Not Found</body></html>', 'begins with something else'),
    'random': (np.random.RandomState(0).bytes(5000), 'begins with something else'),
    'zeros': (bytes(5000), 'begins with something else'),
    'another magic': (file_of(GOOD, magic=0x113), 'begins with something else'),
    'no arrays': (file_of(), 'a list of arrays'),
    'no names': (file_of(GOOD, names=()), 'a list of arrays'),
    'too few names': (file_of(GOOD, GOOD, names=(b'a',)), '1 names for 2 arrays'),
    'a name twice': (file_of(GOOD, GOOD, names=(b'a', b'a')), 'given twice'),
    'huge count': (file_of(GOOD, count=2**60), 'ends within array 1'),
    'huge name': (file_of(GOOD)[:-9] + struct.pack('<Q', 2**63) + b'a', 'ends within name 0'),
    'cut off': (file_of(GOOD)[:-1], 'ends within name 0'),
    'cut off in the data': (file_of(GOOD)[:60], 'ends within array 0 of shape'),
    'more behind': (file_of(GOOD) + b'x', '1 bytes follow'),
    'huge axes': (file_of(array(2, axes=2**31 - 1)), 'claims 2147483647 axes'),
    'negative axes': (file_of(array(2, axes=-1)), 'claims -1 axes'),
    'no axes': (file_of(array()), 'claims 0 axes'),
    'huge axes, version 0': (file_of(struct.pack('<I', 0xF993FAC7) + bytes(99)), 'claims 4187224775 axes'),
    'huge shape': (file_of(array(2**33)), 'of shape (8589934592,): 34359738368 bytes are needed'),
    'a shape beyond 64 bits': (file_of(array(*[2**40] * 32)), 'array 0 of shape'),
    'negative dimension': (file_of(array(-2)), 'claims the shape (-2,)'),
    'two negative dimensions': (file_of(array(-1, -2)), 'claims the shape (-1, -2)'),
    'unknown storage': (file_of(array(2, version=V2 + struct.pack('<i', 9))), 'of no known storage'),
    'unknown type': (file_of(array(2, device=struct.pack('<iii', 1, 0, 99))), '(1, 99)'),
    'unknown device': (file_of(array(2, device=struct.pack('<iii', 77, 0, 0))), '(77, 0)'),
    'two semantics': (file_of(GOOD, array(2, version=V3 + DENSE)), 'semantics together'),
}  # fmt: skip


@pytest.mark.parametrize('kind', DAMAGE)
def test_errors_name_the_damage(kind, tmp_path):
    path, (data, expected) = tmp_path / 'bad.params', DAMAGE[kind]
    path.write_bytes(data)
    with pytest.raises(DataError) as caught:
        weights.read_arrays(path)
    message = str(caught.value)
    assert expected in message
    assert message.startswith(f'{path}: not a parameter file that MXNet reads: ')
    assert '\n' not in message


def test_every_truncation_is_noticed(tmp_path):
    path = tmp_path / 'cut.params'
    mx.nd.save(str(path), {'a': mx.nd.ones((2, 3)), 'b': mx.nd.ones(1, dtype='int64')})
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(DataError, match='not a parameter file'):
            parameter_file.check(path)


@pytest.mark.parametrize('kind', VERSIONS)
def test_every_version_passes(kind, tmp_path):
    path = tmp_path / 'good.params'
    path.write_bytes(file_of(VERSIONS[kind]))
    assert parameter_file.check(path) is False
    assert weights.read_arrays(path)['a'].asnumpy().tolist() == [1, 2], 'MXNet reads it'


@pytest.mark.parametrize('dtype', ['float16', 'float32', 'float64', 'uint8', 'int8', 'int32', 'int64', 'bool'])
def test_what_mxnet_writes_passes(dtype, tmp_path):
    path = tmp_path / 'good.params'
    values = {f'{axes}': np.arange(2**axes).reshape((2,) * axes).astype(dtype) for axes in range(1, 7)}
    mx.nd.save(str(path), {name: mx.nd.array(value, dtype=dtype) for name, value in values.items()})
    read = weights.read_arrays(path)
    assert all(np.array_equal(read[name].asnumpy(), value) for name, value in values.items())


def test_what_mxnet_writes_with_numpys_semantics_passes(tmp_path):
    path = tmp_path / 'good.params'
    mx.npx.set_np()
    try:
        mx.npx.save(str(path), {'scalar': mx.np.array(3.0), 'none': mx.np.zeros((0, 3)), 'a': mx.np.ones((2, 2))})
    finally:
        mx.npx.reset_np()
    with pytest.raises(mx.MXNetError, match='np shape semantics'):
        mx.nd.load(str(path))
    read = weights.read_arrays(path)
    assert float(read['scalar'].asnumpy()) == 3
    assert read['none'].shape == (0, 3)


MXNET_ALONE = """
import resource, mxnet as mx
used = int(open('/proc/self/statm').read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 2**30, used + 2**30))
for path in {paths!r}:
    try:
        print('loaded', len(mx.nd.load(path)))
    except Exception as error:
        print(' '.join(str(error).split()))
"""


def test_mxnet_does_not_notice_damage(tmp_path, python):
    """MXNet allocates what a header claims before it looks how long the file is, and drops an array without a word."""
    kinds = ('huge shape', 'huge count', 'a name twice')
    for kind in kinds:
        (tmp_path / kind).write_bytes(DAMAGE[kind][0])
    paths = [str(tmp_path / kind) for kind in kinds]
    shape, count, twice = python(f'import gluon_cbam\n{MXNET_ALONE.format(paths=paths)}').stdout.splitlines()
    assert shape.endswith('Failed to allocate CPU Memory')
    assert 'vector::_M_default_append' in count.replace(' ', '')
    assert twice == 'loaded 1'
