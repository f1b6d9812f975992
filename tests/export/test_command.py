"""``cbam export`` and ``cbam validate --exported``."""

import json
import warnings

import pytest


def test_export_and_validate(cbam_here, digits, tmp_path):
    path, data = tmp_path / 'digits.onnx', digits / 'val.rec'
    network = ('--network', 'cbamnet_tiny', '--pretrained')
    done = cbam_here('export', *network, '--preprocessing', '-o', path, '--data-val', data, '--json')
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report['files'] == [str(path)] and report['compared_on'] == '8 images of val.rec'
    assert report['largest_difference'] < 1e-4 < report['largest_output']
    wanted = cbam_here('validate', '--network', 'cbamnet_tiny', '--pretrained', '--data-val', data, '--json')
    found = cbam_here('validate', '--exported', path, '--data-val', data, '--batch-size', 100, '--json')
    assert found.returncode == 0, found.stderr
    wanted, found = json.loads(wanted.stdout), json.loads(found.stdout)
    for key in ('network', 'params_sha256', 'records', 'top1', 'top5'):
        assert found[key] == wanted[key]
    assert found['loss'] == pytest.approx(wanted['loss'], abs=1e-5) and found['engine'] == 'onnxruntime'


def test_features_and_text(cbam_here, tmp_path):
    path = tmp_path / 'maps.onnx'
    done = cbam_here('export', '--network', 'cbamnet_tiny', '--pretrained', '--features', '0,1', '-o', path)
    assert done.returncode == 0 and 'differs from MXNet by' in done.stdout and 'generated images' in done.stdout
    done = cbam_here('export', '--network', 'cbamnet_tiny', '--features', '0,x', '-o', path)
    assert done.returncode == 2 and '--features takes stages' in done.stderr


def test_a_symbol_is_named_by_its_prefix_or_one_of_its_files(cbam_here, tmp_path):
    """And nothing of MXNet is printed while it is written, compared and run."""
    network = ('export', '--network', 'cbamnet_tiny', '--pretrained', '--format', 'symbol', '-o')
    files = {'x-symbol.json', 'x-0000.params', 'x-0000.json'}
    for name, more in (('x', ()), ('x-symbol.json', ('--preprocessing',)), ('x-0000.params', ())):
        folder = tmp_path / name
        folder.mkdir()
        with warnings.catch_warnings():
            warnings.filterwarnings('error', '\\s*Cannot decide type')
            done = cbam_here(*network, folder / name, *more)
        assert (done.returncode, done.stderr, {path.name for path in folder.iterdir()}) == (0, '', files)
    for name in ('x.onnx', 'x.params', '-symbol.json', 'x.safetensors'):
        done = cbam_here(*network, tmp_path / name)
        assert done.returncode == 2 and 'give PREFIX' in done.stderr and name in done.stderr
    done = cbam_here('export', '--network', 'cbamnet_tiny', '--pretrained', '-o', tmp_path / 'x-symbol.json')
    assert done.returncode == 2 and 'give --format symbol' in done.stderr


def test_errors_are_one_line(cbam_here, digits, tmp_path):
    damaged = tmp_path / 'damaged.onnx'
    damaged.write_bytes(b'\x00' * 100)
    for arguments, code, message in (
        (('export', '-o', 'x.onnx'), 2, '--network is needed'),
        (('export', '--network', 'cbamnet_tiny', '-o', tmp_path / 'x.onnx', '--image', 'no.jpg'), 2, 'no image file'),
        (('validate', '--exported', damaged, '--data-val', digits / 'val.rec'), 4, 'not a complete ONNX file'),
        (('validate', '--exported', damaged, '--pretrained', '--data-val', 'v.rec'), 2, 'leave --pretrained'),
    ):
        done = cbam_here(*arguments)
        assert (done.returncode, done.stdout) == (code, '')
        assert message in done.stderr.splitlines()[-1]


def test_where_an_exported_file_runs(cbam_here, exported_digits, digits, tmp_path):
    path, data = exported_digits / 'digits.onnx', digits / 'val.rec'
    here = ('--exported', path, '--provider', 'cpu', '--verify', '--json')
    done = cbam_here('validate', *here, '--data-val', data, '--batch-size', 100)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found['provider'], found['precision'], found['verify']['tolerance']) == ('cpu', 'float32', 1e-4)
    assert found['verify']['first_batch']['images'] == found['verify']['first_batch']['same_top1'] == 100
    assert 'cbam: onnxruntime cpu agrees with the CPU: random images: difference 0 of' in done.stderr
    done = cbam_here('predict', data, *here)
    assert done.returncode == 0 and 'agrees with the CPU' in done.stderr
    found = json.loads(done.stdout)
    assert len(found['images']) == 360 and found['verify']['random_images']['largest'] == 0
    for arguments, code, message in (
        (('--exported', path, '--provider', 'cuda'), 3, "pip install 'onnxruntime-gpu[cuda,cudnn]'"),
        (('--exported', path, '--device', '1'), 2, 'provider cpu has no devices'),
        (('--exported', exported_digits / 'digits-symbol.json', '--provider', 'cuda'), 2, 'export the network to ONNX'),
        (('--network', 'cbamnet_tiny', '--pretrained', '--provider', 'cuda'), 2, '--provider is for --exported'),
    ):
        for command in (('validate', '--data-val', data), ('predict', data, '--output', tmp_path / 'x.csv')):
            done = cbam_here(*command, *arguments)
            assert (done.returncode, done.stdout) == (code, '')
            assert message in done.stderr.splitlines()[-1]
    assert list(tmp_path.iterdir()) == []
