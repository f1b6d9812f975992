"""The readers of files that anybody may have written: how a small intact file is made, and how it is read.

Each is a row of :data:`READERS`. ``make`` writes a file, and what belongs to it, into a folder and returns the one that
is damaged; ``read`` reads it as the commands do; ``attacks`` are files made by hand that random damage does not hit.
"""

import bz2
import gzip
import json
import struct
import zipfile
from pathlib import Path

import mxnet as mx
import numpy as np
import torch_files
from fuzz.arrays import ARRAY_READERS
from fuzz.boxes import BOX_READERS
from fuzz.faces import FACE_READERS
from fuzz.images import IMAGE_READERS, image
from fuzz.reader import Reader, of_bytes, written
from fuzz.results import RESULT_READERS

from gluon_cbam import weights, zoo
from gluon_cbam.convert.files import read_arrays
from gluon_cbam.data.records.checking import check_files
from gluon_cbam.data.records.images import decode_record
from gluon_cbam.data.records.recordio import RecordFile, RecordWriter
from gluon_cbam.data.sources.labels import assign, read_classes, read_list
from gluon_cbam.data.sources.tars import members
from gluon_cbam.zoo.archive import extract

ARRAYS = {
    'conv1.weight': np.arange(54, dtype='float32').reshape(2, 3, 3, 3),
    'fc.bias': np.arange(7, dtype='float32'),
}  # fmt: skip
DOUBLED = b')' + b'q\x00h\x00\x86' * 200  # a tuple that holds itself twice, and that tuple twice, ...


def torch_attack(value):
    """A PyTorch file of a pickle's part."""

    def attack(original):
        path = Path('attack.pth')
        torch_files.write(path, value, {'0': np.float32([1, 2])}, legacy=not original.startswith(b'PK'))
        data = path.read_bytes()
        path.unlink()
        return data

    return attack


TENSOR = torch_files.tensor('0', (2,))
TORCH_ATTACKS = [
    torch_attack(torch_files.mapping({'a': TENSOR.replace(torch_files.numbers([2]), DOUBLED, 1)})),
    torch_attack(DOUBLED),
    torch_attack(b')' + b'\x85' * 100_000),
    torch_attack(torch_files.mapping({'a': torch_files.tensor('0', (1 << 40,), 2, (0,))})),
    torch_attack(b'}(' + torch_files.text('a') + TENSOR + b'q\x01' + b''.join(
        torch_files.text(str(number)) + b'h\x01' for number in range(20_000)) + b'u'),
]  # fmt: skip


def save_params(path):
    mx.nd.save(str(path), {name: mx.nd.array(value) for name, value in ARRAYS.items()})


def params_of_size(size):
    """A parameter file whose header states a huge or empty array."""
    head = struct.pack('<QQQIiiqiii', 0x112, 0, 1, 0xF993FAC9, 0, 1, size, 1, 0, 0)
    return lambda original: head + struct.pack('<QQ', 1, 1) + b'a'


def make_card(folder):
    save_params(folder / 'net.params')
    net_card = {
        'network': 'cifar_cbam_resnet18', 'classes': 10, 'options': {'widen': 0.25},
        'class_names': [str(number) for number in range(10)],
        'preprocessing': {'image_size': 32, 'crop_ratio': 1.0, 'mean': [0.5] * 3, 'std': [0.25] * 3},
    }  # fmt: skip
    from gluon_cbam.common.files import sha256

    size = (folder / 'net.params').stat().st_size
    card = zoo.Card(sha256=sha256(folder / 'net.params'), bytes=size, **net_card)
    (folder / 'net.json').write_text(json.dumps(card.as_dict(), indent=1))
    return folder / 'net.json'


def make_registry(folder):
    shipped = Path(zoo.__file__).parent / 'cards'
    card = shipped / 'bam_resnet50.imgclsmob_in1k.yaml'
    path = folder / 'registry.yaml'
    path.write_bytes(card.read_bytes().replace(b'imgclsmob_in1k', b'mine').replace(b'default: true\n', b''))
    return path


def laughs(original):
    """Aliases of aliases: ten to the tenth values."""
    lines = ['a0: &a0 [x, x, x, x, x, x, x, x, x, x]']
    lines += [f'a{n}: &a{n} [{", ".join([f"*a{n - 1}"] * 10)}]' for n in range(1, 10)]
    return '\n'.join(lines).encode() + b'\n' + original


class Part:
    """The state of an optimizer."""

    def arrays(self):
        return {'momentum': mx.nd.ones(3)}


def make_state(folder):
    from gluon_cbam.training.checkpoint.files import Checkpoints

    net = mx.gluon.nn.Dense(2, in_units=3)
    net.initialize()
    card = {'network': 'cifar_cbam_resnet18', 'classes': 2, 'options': {}, 'preprocessing': {
        'image_size': 32, 'crop_ratio': 1.0, 'mean': [0.5] * 3, 'std': [0.25] * 3}}  # fmt: skip
    return Checkpoints(folder).save_newest(net, {'optimizer': Part()}, card, {'epoch': 1, 'step': 5}, {})


def read_state(path):
    from gluon_cbam.training.checkpoint.files import Checkpoints

    Checkpoints(path.parent).newest()


def make_run(folder):
    """A run folder with its settings and metrics."""
    (folder / 'config.yaml').write_text('network: cifar_cbam_resnet18\nepochs: 3\nseed: 0\nlr: 0.1\n')
    lines = [
        {'type': 'train', 'epoch': 1, 'step': 10, 'loss': 2.3, 'images_per_second': 100.0, 'seconds': 3.0},
        {'type': 'epoch', 'epoch': 1, 'step': 20, 'loss': 2.2, 'top1': 0.4, 'seconds': 6.0},
    ]
    (folder / 'metrics.jsonl').write_text(''.join(json.dumps(line) + '\n' for line in lines))
    return folder


def read_run(path):
    from gluon_cbam.training.config.saved_run import read_config
    from gluon_cbam.training.logging.comparison import compare

    compare(path.parent).as_text()
    read_config(path.parent)


def make_records(folder):
    with RecordWriter(folder / 'a.rec') as writer:
        for number in range(6):
            writer.write(number % 3, image('.png' if number % 2 else '.jpg'))
    return folder / 'a.rec'


def read_records(path):
    path = path.with_suffix('.rec')
    for report in check_files([path]).files:
        report.as_dict()
    records = RecordFile(path)
    for number in range(len(records)):
        decode_record(records, number)


def tar_bytes():
    import tarfile
    from io import BytesIO

    file = BytesIO()
    with tarfile.open(fileobj=file, mode='w', format=tarfile.GNU_FORMAT) as tar:
        for name in ('cat/1.png', 'dog/' + 'd' * 120 + '.png'):
            info = tarfile.TarInfo(name)
            info.size = len(image('.png'))
            tar.addfile(info, BytesIO(image('.png')))
    return file.getvalue()


def huge_member(original):
    """A picture of 300 MiB in 300 KB."""
    header = bytearray(tar_bytes()[:512])
    header[124:136] = b'%011o\0' % (300 << 20)
    header[148:156] = b'%06o\0 ' % (sum(header) - sum(header[148:156]) + 256)
    return gzip.compress(bytes(header), 1) + gzip.compress(bytes(1 << 20), 1) * 300


def make_symbol(folder):
    save_params(folder / 'net-0000.params')
    x = mx.sym.Variable('data')
    y = mx.sym.FullyConnected(x, num_hidden=7, name='fc')
    (folder / 'net-symbol.json').write_text(y.tojson())
    mx.nd.save(str(folder / 'net-0000.params'), {'arg:fc_weight': mx.nd.ones((7, 3)), 'arg:fc_bias': mx.nd.ones(7)})
    return folder / 'net-symbol.json'


def read_symbol(path):
    from gluon_cbam.export.symbol import load_symbol

    load_symbol(path)


def onnx_bytes():
    """A ModelProto of metadata and an empty graph, as far as the reader looks at one."""
    entry = b'\x0a\x03key\x12\x05value'
    return b'\x08\x08' + b'\x72' + bytes([len(entry)]) + entry + b'\x3a\x06\x12\x04main'


def read_onnx(path):
    from gluon_cbam.export.onnx.file import read_metadata

    read_metadata(path)


def save_safetensors(path):
    from gluon_cbam.weights import safetensors

    safetensors.write(ARRAYS, path, {})


def write_archive(path):
    """A zip archive as a registry names it, compressed in each way."""
    with zipfile.ZipFile(path, 'w', zipfile.ZIP_BZIP2) as archive:
        archive.writestr('net.params', bytes(1000) + b'abc' * 100)
        archive.writestr('other', bytes(1000), zipfile.ZIP_LZMA)


def read_archive(path):
    for member in ('net.params', 'other'):
        extract(path, member, path.with_suffix('.extracted'), 1 << 20, str(path))


def each_member(path):
    for member in members(path):
        member.read()


_ROWS = [
    Reader('pth zip', written('a.pth', lambda path: torch_files.write_state_dict(path, ARRAYS)), read_arrays,
           TORCH_ATTACKS),
    Reader('pth legacy', written('a.pth', lambda path: torch_files.write_state_dict(path, ARRAYS, True)), read_arrays,
           TORCH_ATTACKS),
    Reader('params', written('a.params', save_params), weights.read_arrays,
           [params_of_size(size) for size in (1 << 40, 0, -1)]),
    Reader('npz', written('a.npz', lambda path: np.savez_compressed(path, **ARRAYS)), read_arrays),
    Reader('safetensors', written('a.safetensors', save_safetensors), read_arrays,
           [lambda original: struct.pack('<Q', 1 << 62) + original[8:],
            lambda original: struct.pack('<Q', 200_000) + b'[' * 200_000]),
    Reader('rec', make_records, read_records),
    Reader('idx', lambda folder: make_records(folder).with_suffix('.idx'), read_records),
    Reader('lst', of_bytes('a.lst', b'0\t1.0\tcat/1.jpg\n1\t0.0\tdog/2.jpg\n2\t2.0\tfox/3.jpg\n'), read_list),
    Reader('labels', of_bytes('a.csv', b'ImageId,PredictionString\n1,n01 1 2 3 4\n2,n02 5 6 7 8\n'),
           lambda path: assign(path, ['1.jpg', '2.jpg'], None, None)),
    Reader('classes', of_bytes('classes.txt', b'cat\ndog\nred fox\n'), read_classes),
    Reader('tar', of_bytes('a.tar', tar_bytes()), each_member),
    Reader('tar gz', of_bytes('a.tar.gz', gzip.compress(tar_bytes())), each_member, [huge_member]),
    Reader('tar bz2', of_bytes('a.tar.bz2', bz2.compress(tar_bytes())), each_member),
    *IMAGE_READERS,
    *FACE_READERS,
    *BOX_READERS,
    *RESULT_READERS,
    *ARRAY_READERS,
    Reader('card', make_card, lambda path: weights.read_card(path.with_suffix('.params'))),
    Reader('registry', make_registry, lambda path: zoo.cards(None, [str(path)], path.parent, True), [laughs]),
    Reader('config', lambda folder: make_run(folder) / 'config.yaml', read_run, [laughs]),
    Reader('metrics', lambda folder: make_run(folder) / 'metrics.jsonl', read_run),
    Reader('state card', lambda folder: make_state(folder).with_suffix('.json'), read_state),
    Reader('state arrays', make_state, read_state),
    Reader('symbol', make_symbol, read_symbol),
    Reader('archive', written('a.zip', write_archive), read_archive,
           [lambda original: original[:-6] + b'\xff\xff\xff\x7f' + original[-2:]]),
    Reader('onnx', of_bytes('a.onnx', onnx_bytes()), read_onnx),
]  # fmt: skip
READERS = {row.name: row for row in _ROWS}
"""Name -> reader."""
