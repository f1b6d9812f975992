"""Growth of time and memory: the measured points, and their plot."""

from benchmarks import growth

from gluon_cbam.benchmarks.process import Measurement


def test_points_and_plot(monkeypatch, tmp_path):
    requested, lines = [], []

    def measure(contexts, repetitions, warm_up):
        requested.extend(contexts)
        facts = {'images': contexts[0].batch, 'imported_bytes': 0}
        return [
            Measurement(context, facts, [0.1 * context.batch + context.image_size / 1e4], 1e6 * context.batch)
            for context in contexts
        ]

    monkeypatch.setattr(growth, 'measure', measure)
    points = growth.measure_growth(2, 3, max_seconds=2.0, log=lines.append)
    assert {context.batch for context in requested} == {1, 2, 4, 8, 16, 32}, 'after 3.2 s, 64 is left out'
    assert {context.image_size for context in requested} == {112, 160, 224, 320, 448}
    assert {context.network for context in requested} >= {'cbam_resnet152', 'resnet18'}
    assert {context.threads for context in requested} == {1, 2}
    assert {context.mode for context in requested} == {'predict', 'train'}
    assert len(lines) == len(points) / 2 == len(requested) / 2
    chosen = [p for p in points if (p['sweep'], p['mode'], p['kind'], p['value']) == ('batch', 'train', 'cbam_', 4)]
    assert [point['used_bytes'] for point in chosen] == [4e6]
    growth.draw(points, tmp_path / 'growth.png')
    assert (tmp_path / 'growth.png').read_bytes().startswith(b'\x89PNG')
