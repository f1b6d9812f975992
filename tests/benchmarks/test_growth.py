"""Growth of time and memory: the measured points, and their plot."""

from benchmarks import document, growth

from gluon_cbam.benchmarks.process import Measurement
from gluon_cbam.common.errors import DependencyError


def test_points_and_plot(monkeypatch, tmp_path):
    requested, lines = [], []

    def measure(contexts, repetitions, warm_up, refused):
        kept = [context for context in contexts if context.engine != 'openvino']
        for context in contexts:
            if context not in kept:
                refused(context, DependencyError('openvino is not installed'))
        requested.extend(kept)
        facts = {'images': contexts[0].batch, 'imported_bytes': 0, 'versions': {'mxnet': '1.9.1'}}
        return [
            Measurement(context, facts, [0.1 * context.batch + context.image_size / 1e4], 1e6 * context.batch)
            for context in kept
        ]

    monkeypatch.setattr(growth, 'measure', measure)
    points = growth.measure_growth(2, 3, max_seconds=2.0, log=lines.append)
    assert {context.batch for context in requested} == {1, 2, 4, 8, 16, 32}, 'after 3.2 s, 64 is left out'
    assert {context.image_size for context in requested} == {112, 160, 224, 320, 448}
    assert {context.network for context in requested} >= {'cbam_resnet152', 'resnet18'}
    assert {context.threads for context in requested} == {1, 2}
    assert {context.mode for context in requested} == {'predict', 'train'}
    assert lines[0] == 'openvino is left out: openvino is not installed'
    assert len(lines) - 1 == len(points) / 3.5 == len(requested) / 3.5, 'four lines of inference, three of training'
    chosen = [p for p in points if (p['sweep'], p['mode'], p['kind'], p['value']) == ('batch', 'train', 'cbam_', 4)]
    assert [(p['engine'], p['used_bytes']) for p in chosen] == [('gluon_cbam', 4e6), ('torch channels_last', 4e6)]
    assert {point['engine'] for point in points} == {'gluon_cbam', 'onnxruntime', 'torch channels_last'}
    about = {'repetitions': 3, **document.conditions(2), 'points': points}
    assert ', mxnet 1.9.1. `scripts/benchmark --growth`' in document.as_markdown({'rows': {}, 'growth': about})
    growth.draw(points, tmp_path / 'growth.png')
    assert (tmp_path / 'growth.png').read_bytes().startswith(b'\x89PNG')
