"""Exported files run in place of networks; those that are damaged or foreign cost one line."""

import shutil

import mxnet as mx
import numpy as np
import pytest

from gluon_cbam.common import packages
from gluon_cbam.common.errors import DataError, DependencyError, UsageError
from gluon_cbam.export.onnx.file import read_metadata
from gluon_cbam.export.runtime import load_exported

RUNS = [
    ('digits.onnx', 'onnxruntime'),
    ('pixels.onnx', 'onnxruntime'),
    ('digits.onnx', 'openvino'),
    ('pixels.onnx', 'openvino'),
    ('digits-symbol.json', 'mxnet'),
    ('pixels-symbol.json', 'mxnet'),
]


@pytest.mark.parametrize(('name', 'engine'), RUNS)
def test_outputs_equal_the_network(digits_network, exported_digits, pictures, name, engine):
    if engine == 'openvino':
        pytest.importorskip('openvino')
    exported = load_exported(exported_digits / name, engine, threads=1)
    for attribute in ('name', 'classes', 'class_names', 'preprocessing', 'params_sha256'):
        assert getattr(exported, attribute) == getattr(digits_network, attribute)
    assert exported.pixels == name.startswith('pixels')
    for count in (3, 1, 2):  # the batch is free
        batch = np.stack([exported.prepare(picture) for picture in pictures[:count]])
        floats = np.stack([digits_network.preprocessing(picture) for picture in pictures[:count]])
        wanted = digits_network.net(mx.nd.array(floats)).asnumpy()
        np.testing.assert_allclose(exported(batch), wanted, atol=2e-5)


@pytest.mark.parametrize('name', ['digits.onnx', 'pixels.onnx'])
def test_only_uint8_is_prepared(exported_digits, pictures, name):
    exported = load_exported(exported_digits / name, 'onnxruntime', threads=1)
    for picture in (pictures[0] / 255, pictures[0].transpose(2, 0, 1), pictures[0].astype(np.int64)):
        with pytest.raises(UsageError, match=r'an image must be \(H, W, 3\) uint8 RGB, got'):
            exported.prepare(picture)


def test_the_engine_that_is_installed_is_taken(exported_digits, monkeypatch):
    assert load_exported(exported_digits / 'digits.onnx').engine == 'onnxruntime'
    assert load_exported(exported_digits / 'digits-symbol.json').engine == 'mxnet'
    monkeypatch.setattr(packages.util, 'find_spec', lambda name: None)
    with pytest.raises(DependencyError, match=r"onnxruntime is not installed: pip install 'gluon_cbam\[onnx\]'"):
        load_exported(exported_digits / 'digits.onnx')


@pytest.mark.parametrize(
    ('name', 'engine', 'message'),
    [
        ('missing.onnx', 'auto', 'no exported file'),
        ('digits-0000.params', 'auto', 'end in .onnx or -symbol.json'),
        ('digits.onnx', 'mxnet', 'mxnet does not run digits.onnx: use onnxruntime or openvino'),
        ('digits-symbol.json', 'openvino', 'use mxnet'),
        ('digits.onnx', 'tensorrt', "unknown engine 'tensorrt'"),
    ],
)
def test_bad_arguments(exported_digits, name, engine, message):
    with pytest.raises(UsageError, match=message):
        load_exported(exported_digits / name, engine)


def changed(path, folder, change):
    copy = folder / path.name
    copy.write_bytes(bytes(change(bytearray(path.read_bytes()))))
    return copy


def flipped(data, places):
    for place in places:
        data[place] ^= 255
    return data


ONNX_DAMAGE = {
    'empty': lambda data: b'',
    'text': lambda data: b'hello, world\n' * 50,
    'cut in the middle': lambda data: data[: len(data) // 2],
    'cut at the end': lambda data: data[:-3],
    'its beginning': lambda data: flipped(data, range(4, 40)),
    'its description': lambda data: data.replace(b'gluon_cbam.classes', b'gluon_cbam.klasses'),
    'its classes': lambda data: data.replace(b'NHWC uint8', b'NHWC uint9').replace(b'NCHW float32', b'NCHW float33'),
}


@pytest.mark.parametrize('damage', ONNX_DAMAGE)
@pytest.mark.parametrize('engine', ['onnxruntime', 'openvino'])
def test_damaged_onnx(exported_digits, tmp_path, damage, engine):
    if engine == 'openvino':
        pytest.importorskip('openvino')
    path = changed(exported_digits / 'digits.onnx', tmp_path, ONNX_DAMAGE[damage])
    with pytest.raises(DataError, match='digits.onnx') as raised:
        load_exported(path, engine)
    assert '\n' not in str(raised.value)


def test_the_description_is_read_without_any_package(exported_digits):
    onnx = pytest.importorskip('onnx')
    path = exported_digits / 'pixels.onnx'
    model = onnx.load(str(path))
    onnx.checker.check_model(model, full_check=True)
    assert read_metadata(path) == {entry.key: entry.value for entry in model.metadata_props}


def test_a_file_that_was_cut_is_known_without_any_package(exported_digits, tmp_path):
    data = (exported_digits / 'digits.onnx').read_bytes()
    for size in (*range(0, len(data), len(data) // 7), len(data) - 1):
        (tmp_path / 'cut.onnx').write_bytes(data[:size])
        with pytest.raises(DataError, match='cut.onnx: not a complete ONNX file'):
            read_metadata(tmp_path / 'cut.onnx')


def test_every_changed_byte_is_noticed(exported_digits, tmp_path):
    """An engine would compute with a changed weight; a file of a former version, which has no hash, is read."""
    data = (exported_digits / 'digits.onnx').read_bytes()
    for place in range(5, len(data), len(data) // 40):
        (tmp_path / 'changed.onnx').write_bytes(flipped(bytearray(data), [place]))
        with pytest.raises(DataError, match='changed.onnx'):
            load_exported(tmp_path / 'changed.onnx')
    onnx = pytest.importorskip('onnx')
    model = onnx.load_from_string(data)
    del model.metadata_props[-1]
    (tmp_path / 'former.onnx').write_bytes(model.SerializeToString())
    assert load_exported(tmp_path / 'former.onnx').classes == 10


SYMBOL_DAMAGE = {
    'symbol cut': ('digits-symbol.json', lambda data: data[: len(data) // 2]),
    'symbol of another network': ('digits-symbol.json', lambda data: data.replace(b'stages.1', b'stages.7')),
    'parameters cut': ('digits-0000.params', lambda data: data[:-100]),
    'parameters changed': ('digits-0000.params', lambda data: flipped(data, [len(data) // 2])),
    'card empty': ('digits-0000.json', lambda data: b''),
    'card of parameters, not of an export': ('digits-0000.json', lambda data: data.replace(b'"input"', b'"inputs"')),
}


@pytest.mark.parametrize('damage', SYMBOL_DAMAGE)
def test_damaged_symbols(exported_digits, tmp_path, damage):
    name, change = SYMBOL_DAMAGE[damage]
    for file in exported_digits.glob('digits-*'):
        shutil.copy(str(file), str(tmp_path))
    changed(exported_digits / name, tmp_path, change)
    with pytest.raises(DataError, match='digits-') as raised:
        load_exported(tmp_path / 'digits-symbol.json')
    assert '\n' not in str(raised.value)


@pytest.mark.parametrize('missing', ['digits-0000.params', 'digits-0000.json'])
def test_a_part_of_a_symbol_is_missing(exported_digits, tmp_path, missing):
    for file in exported_digits.glob('digits-*'):
        if file.name != missing:
            shutil.copy(str(file), str(tmp_path))
    with pytest.raises(DataError, match=f'no {missing} next to it'):
        load_exported(tmp_path / 'digits-symbol.json')


def test_serving_onnx_needs_no_mxnet(exported_digits, python):
    code = (
        'import sys, numpy; from gluon_cbam.export.runtime import load_exported; '
        f'network = load_exported({str(exported_digits / "pixels.onnx")!r}); '
        'print(network(numpy.zeros((1, 16, 16, 3), numpy.uint8)).shape, "mxnet" in sys.modules)'
    )
    done = python(code)
    assert done.stdout.strip() == '(1, 10) False', done.stderr
