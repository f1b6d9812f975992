"""The check of exported networks on an accelerator, on the provider that is everywhere."""

import json

import gpu_exported
import pytest

pytestmark = pytest.mark.slow


@pytest.fixture
def report(tmp_path, monkeypatch):
    """Runs the script with small networks; gives its exit code and its report."""
    tiny = gpu_exported.DIGITS[1]
    monkeypatch.setattr(gpu_exported, 'RESNET', ('large.onnx', tiny))
    monkeypatch.setattr(gpu_exported, 'HALF', ('half.onnx', [*tiny[:-2], '--format', 'onnx-float16']))

    def run(provider):
        output = tmp_path / f'{provider}.json'
        words = [str(tmp_path / 'files'), '--provider', provider, '--quick', '--output', str(output)]
        monkeypatch.setattr('sys.argv', ['gpu_exported', *words])
        return gpu_exported.main(), json.loads(output.read_text())

    return run


def test_the_report(report):
    status, found = report('cpu')
    assert status == 0
    assert found['digits']['top1'] == pytest.approx(353 / 360), 'what the card of the weights states'
    for part in ('float32', 'float16 file'):
        assert set(found[part]['images_per_second']) == {'1', '2'}
        assert all(speed > 0 for speed in found[part]['images_per_second'].values())
        assert found[part]['verify']
    status, found = report('rocm')
    assert status == 1
    assert found['digits']['exit_code'] == 3
    assert 'has no provider rocm' in found['digits']['error']
