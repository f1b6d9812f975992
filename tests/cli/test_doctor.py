"""``cbam doctor`` finds problems and prints remedies."""

import json

import pytest

from gluon_cbam.cli import diagnostics


def test_all_checks_pass_here(cbam):
    process = cbam('doctor', '--json')
    report = json.loads(process.stdout)
    assert process.returncode == 0, report
    assert report['ok'] is True
    checks = {check['name']: check for check in report['checks']}
    assert {'python', 'numpy', 'mxnet', 'gluoncv', 'opencv', 'gpu'} <= set(checks)
    assert checks['mxnet']['detail'].startswith('1.9.1 (mxnet, installed by ')
    assert '(opencv-python' in checks['opencv']['detail']
    assert all(set(check) == {'name', 'ok', 'detail', 'remedy'} for check in report['checks'])


def test_a_broken_package_is_found(cbam, tmp_path):
    (tmp_path / 'cv2.py').write_text('raise ImportError("libGL.so.1: cannot open shared object file")')
    process = cbam('doctor', env={'PYTHONPATH': str(tmp_path)})
    assert process.returncode == 3
    assert 'FAIL opencv   ImportError: libGL.so.1' in process.stdout
    assert 'apt-get install libgl1' in process.stdout
    assert process.stderr == ''


def test_a_package_that_crashes_the_process(monkeypatch):
    check = diagnostics._import_probe('os', 'os.kill(os.getpid(), 11)', 'mend it')
    assert (check.ok, check.remedy) == (False, 'mend it')


def test_mxnet_twice_or_not_at_all(monkeypatch):
    monkeypatch.setattr(diagnostics.versions, 'mxnet_distributions', lambda: ['mxnet', 'mxnet-cu117'])
    assert "'cbam setup cpu --force'" in diagnostics._mxnet().remedy
    monkeypatch.setattr(diagnostics.versions, 'mxnet_distributions', list)
    assert "'cbam setup'" in diagnostics._mxnet().remedy


@pytest.mark.parametrize(
    ('numpy', 'beside'), [('1.26.4', ''), ('2.5.5', ', beside numpy 2.5.5, which its own requirements exclude')]
)
def test_how_mxnet_was_installed(monkeypatch, numpy, beside):
    monkeypatch.setattr(diagnostics.versions, 'installer', lambda name: 'uv')
    monkeypatch.setattr(diagnostics.versions, 'installed', lambda name: numpy)
    assert diagnostics._origin('mxnet') == f'mxnet, installed by uv{beside}'


def test_the_engines_of_exported_files(monkeypatch):
    check = diagnostics._onnxruntime()
    assert check.ok and ('not installed' in check.detail or ', providers cpu' in check.detail), check
    check = diagnostics._openvino()
    assert check.ok and ('not installed' in check.detail or ', devices CPU (' in check.detail), check
    both = {'onnxruntime': '1.32.0', 'onnxruntime-gpu': '1.31.1'}
    monkeypatch.setattr(diagnostics, 'onnxruntime_packages', lambda: both)
    check = diagnostics._onnxruntime()
    assert (check.ok, check.detail) == (False, 'onnxruntime 1.32.0 and onnxruntime-gpu 1.31.1')
    assert 'pip uninstall onnxruntime onnxruntime-gpu' in check.remedy
