"""How time and memory grow: the points that are measured, and their picture."""

from benchmarks import growth

from gluon_cbam.benchmarks.process import Measurement


def test_points_and_picture(monkeypatch, tmp_path):
    asked, lines = [], []

    def measure(specs, repetitions, warm_up):
        asked.extend(specs)
        facts = {'images': specs[0].batch, 'imported_bytes': 0}
        return [
            Measurement(spec, facts, [0.1 * spec.batch + spec.image_size / 1e4], 1e6 * spec.batch) for spec in specs
        ]

    monkeypatch.setattr(growth, 'measure', measure)
    points = growth.measure_growth(2, 3, max_seconds=2.0, log=lines.append)
    assert {spec.batch for spec in asked} == {1, 2, 4, 8, 16, 32}, 'after 3.2 s, 64 is left out'
    assert {spec.image_size for spec in asked} == {112, 160, 224, 320, 448}
    assert {spec.network for spec in asked} >= {'cbam_resnet152', 'resnet18'}
    assert {spec.threads for spec in asked} == {1, 2}
    assert {spec.mode for spec in asked} == {'predict', 'train'}
    assert len(lines) == len(points) / 2 == len(asked) / 2
    chosen = [p for p in points if (p['sweep'], p['mode'], p['kind'], p['value']) == ('batch', 'train', 'cbam_', 4)]
    assert [point['used_bytes'] for point in chosen] == [4e6]
    growth.draw(points, tmp_path / 'growth.png')
    assert (tmp_path / 'growth.png').read_bytes().startswith(b'\x89PNG')
