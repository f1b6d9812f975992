"""The benchmark table: its rows, their record as JSON, and the Markdown made from it."""

import json
import sys
from contextlib import contextmanager
from pathlib import Path

import benchmark
import numpy as np
import pytest
from benchmark import _record, _selected_rows
from benchmarks import document, instructions, ratios
from benchmarks.detection_rows import DETECTION_ROWS
from benchmarks.engine_rows import ENGINE_ROWS
from benchmarks.ratios import Conditions, Ratio, at_least, at_most
from benchmarks.rows import ROWS, Row

from gluon_cbam.benchmarks.engines import ENGINES
from gluon_cbam.benchmarks.process import Measurement
from gluon_cbam.common.errors import DependencyError, EnvironmentProblem, RunError, UsageError
from gluon_cbam.models.variants import VARIANTS
from gluon_cbam.ops.status import Status

CONTEXT = ratios.BenchmarkContext('predict', label='ours')
PAGE = Path(__file__).parents[2] / 'docs'


def outcome(ratio, what='time'):
    sides = [
        {'name': name, 'milliseconds': {'min': 1, 'median': median, 'p95': 9}, 'used_bytes': 10e6 * median,
         'versions': {'mxnet': '1.9.1'}}
        for name, median in (('a', 30 * ratio), ('b', 30))
    ]  # fmt: skip
    return Ratio(ratio, sides, what, 5)


TABLE = {
    'good': Row('a / b, good', at_most(1.2), None),
    'bad': Row('a / b, bad', at_least(2), None),
    'memory': Row('a / b, memory', at_most(1.15), None),
    'absent': Row('absent', at_least(1), None),
}


@pytest.fixture
def written(tmp_path):
    rows = {
        'absent': document.missing(TABLE['absent'], 'no file'),
        'bad': document.measured(TABLE['bad'], outcome(1.5), 2),
        'good': document.measured(TABLE['good'], outcome(1.1), 2),
        'memory': document.measured(TABLE['memory'], outcome(1.1, 'memory'), 2),
    }
    document.write({'rows': rows}, TABLE, tmp_path)
    return tmp_path


def test_the_table(written):
    lines = (written / 'benchmark.md').read_text().splitlines()
    good, bad, memory, absent = (line.split('|') for line in lines if line.startswith(('| a /', '| absent')))
    assert [cell.strip() for cell in good[1:5]] == ['a / b, good', '<= 1.20', '**1.10**', '33.0 ms / 30.0 ms']
    assert [cell.strip() for cell in bad[2:5]] == ['>= 2.00', '**1.50** (missed)', '45.0 ms / 30.0 ms']
    assert memory[4].strip() == '330 MB / 300 MB'
    assert absent[3].strip() == 'not measured: no file'
    assert any(line.startswith('- 20') and '2 threads' in line and 'mxnet 1.9.1' in line for line in lines)


def test_markdown_is_made_from_json_only(written):
    kept = json.loads((written / 'benchmark.json').read_text())
    assert document.as_markdown(kept) == (written / 'benchmark.md').read_text()
    kept['rows']['good']['ratio'] = 7.77
    assert '**7.77**' in document.as_markdown(kept)


def test_rows_of_detectors_say_what_they_compare():
    key = next(iter(DETECTION_ROWS))
    for name, said in ((key, True), ('loader', False)):
        text = document.as_markdown({'rows': {name: document.measured(ROWS[name], outcome(1.5), 2)}})
        assert ("GluonCV's detectors are built from its classes" in text) is said


def test_rows_that_are_not_measured_again_are_kept(written):
    before = document.read(written / 'benchmark.json')
    before['rows']['bad']['date'] = '2001-02-03'
    before['rows']['good'] = document.measured(TABLE['good'], outcome(1.3), 4)
    document.write(before, TABLE, written)
    text = (written / 'benchmark.md').read_text()
    assert '**1.30** (missed)' in text
    assert '2001-02-03' in text
    assert list(document.read(written / 'benchmark.json')['rows']) == list(TABLE), 'in the order of the table'
    assert document.read(written / 'none.json') == {'rows': {}}


def test_rows_that_were_never_measured_are_shown(tmp_path):
    document.write({'rows': {}}, TABLE, tmp_path)
    lines = [line for line in (tmp_path / 'benchmark.md').read_text().splitlines() if line.startswith('| a')]
    assert [line.split('|')[3].strip() for line in lines] == ['not measured'] * 4
    assert list(document.read(tmp_path / 'benchmark.json')['rows']) == list(TABLE)


def test_figures_are_judged_by_the_targets_of_now(written):
    table = {**TABLE, 'good': Row('a / b, renamed', at_most(1.05), None)}
    document.write(document.read(written / 'benchmark.json'), table, written)
    assert '| a / b, renamed | <= 1.05 | **1.10** (missed) |' in (written / 'benchmark.md').read_text()


def test_the_page_is_that_of_its_figures(tmp_path):
    """Every row of the table is on the page, with its target, as ``scripts/benchmark --page`` writes it."""
    document.write(document.read(PAGE / 'benchmark.json'), ROWS, tmp_path)
    for name in ('benchmark.json', 'benchmark.md'):
        assert (tmp_path / name).read_text() == (PAGE / name).read_text()


def test_rows_are_chosen_by_patterns():
    assert _selected_rows('help,ssd-300-*-8,help', False) == ['help', *_keys('ssd-300-', '-8')]
    assert _selected_rows(None, False) == list(ROWS)
    assert _selected_rows(None, True) == []
    with pytest.raises(UsageError, match="unknown row 'lodaer': did you mean loader"):
        _selected_rows('lodaer', False)


def _keys(begin, end):
    return [key for key in ROWS if key.startswith(begin) and key.endswith(end)]


class Requested(list):
    """The (contexts, repetitions) of each call of ``measure``; what the next calls find; what was compared last."""

    def __init__(self):
        super().__init__()
        self.seconds, self.errors, self.compared = [3, 2, 1, 1, 1, 1, 1, 1, 1, 1], {}, []
        self.facts = {'device': 'fake', 'versions': {}, 'imported_bytes': 100e6}


@pytest.fixture
def fake_measure(monkeypatch):
    """Replaces all processes: the first of the contexts takes 3 s and 400 MB, the second 2 s and 300 MB, and so on."""
    requested = Requested()

    def measure(contexts, repetitions, warm_up, refused=None):
        requested.append((contexts, repetitions))
        kept = [context for context in contexts if context.engine not in requested.errors]
        for context in contexts:
            if context not in kept:
                refused(context, requested.errors[context.engine])
        return [
            Measurement(context, {'images': context.batch, **requested.facts}, [seconds] * 3, (400 - 100 * n) * 1e6)
            for n, (context, seconds) in enumerate(zip(kept, requested.seconds))
        ]

    @contextmanager
    def same_weights(contexts):
        requested.compared = list(contexts)
        yield requested.compared

    monkeypatch.setattr(ratios, 'measure', measure)
    monkeypatch.setattr(ratios, 'same_weights', same_weights)
    monkeypatch.setattr(ratios, 'onednn_instructions', lambda environment: 'fake ISA')
    return requested


_OF_CONTEXTS = [
    key for key in ROWS if key.endswith('-8') and not key.startswith(('mxnet', 'int8-fastest', 'inference-m'))
]


@pytest.mark.parametrize('key', dict.fromkeys([*_OF_CONTEXTS, *(key for key in DETECTION_ROWS if 'loader' not in key)]))
def test_every_row_of_two_contexts(fake_measure, key):
    """A ratio is the first context over the second; networks, engines and modes exist."""
    outcome = ROWS[key].measure(Conditions(threads=3))
    assert outcome.ratio == pytest.approx(1.5)
    ((contexts, repetitions),) = fake_measure
    assert repetitions >= 3
    for context in contexts:
        assert context.threads == 3
        assert context.mode in ENGINES[context.engine]
        assert context.network in VARIANTS


def test_memory_is_measured_relative_to_the_imports(fake_measure):
    outcome = ratios.ratio(*[ratios.BenchmarkContext('train')] * 2, 'memory')(Conditions(threads=1))
    assert outcome.ratio == pytest.approx(300 / 200)


def test_temporary_record_file_of_a_row(fake_measure, tmp_path, monkeypatch):
    row = ratios.on_records(ratios.BenchmarkContext('loader'), ratios.BenchmarkContext('loader'), 4, (8, 8))
    row(Conditions(threads=1))
    ((contexts, _),) = fake_measure
    assert {context.data for context in contexts} == {contexts[0].data}
    assert contexts[0].data.endswith('.rec')
    assert not Path(contexts[0].data).exists()


def test_nothing_is_measured_with_stale_operators(fake_measure, monkeypatch, tmp_path):
    monkeypatch.setattr(benchmark, 'operators_status', lambda: Status(False, 'it is stale', 'compile it', True))
    with pytest.raises(EnvironmentProblem, match='^it is stale: compile it$'):
        benchmark.main(['--only', 'inference-8', '--docs', str(tmp_path)], standalone_mode=False)
    assert fake_measure == list(tmp_path.iterdir()) == []


def test_packages_that_are_missing_leave_a_row_out(fake_measure, monkeypatch):
    def measure(contexts, repetitions, warm_up, refused):
        raise EnvironmentProblem('torch is not installed: pip install torch')

    monkeypatch.setattr(ratios, 'measure', measure)
    record = _record('onnxruntime-8', Conditions(threads=1))
    assert (record['ratio'], record['reason']) == (None, 'torch is not installed: pip install torch')


def test_the_fastest_of_several(fake_measure):
    """Ours takes 3 s, the others 2 and 1 s."""
    others = [CONTEXT.replace(engine=engine, label=engine) for engine in ('onnxruntime', 'openvino')]
    outcome = ratios.ratio_to_fastest(CONTEXT, others)(Conditions(threads=1))
    assert outcome.ratio == pytest.approx(3)
    assert [side['name'] for side in outcome.sides] == ['ours', 'openvino', 'onnxruntime']
    assert outcome.note == 'fastest of 2: openvino'


def test_an_engine_that_is_missing_is_said_beside_the_fastest(fake_measure):
    fake_measure.errors['openvino'] = DependencyError('openvino: no openvino')
    others = [CONTEXT.replace(engine=engine, label=engine) for engine in ('onnxruntime', 'openvino')]
    outcome = ratios.ratio_to_fastest(CONTEXT, others)(Conditions(threads=1))
    assert outcome.note == 'fastest of 1: onnxruntime; without openvino: no openvino'
    with pytest.raises(EnvironmentProblem, match='^no openvino$'):
        ratios.ratio_to_fastest(CONTEXT, others[1:])(Conditions(threads=1))
    fake_measure.errors['openvino'] = RunError('openvino: its outputs differ')
    with pytest.raises(RunError):
        ratios.ratio_to_fastest(CONTEXT, others)(Conditions(threads=1))


def test_spreads_of_several_processes(fake_measure):
    """Processes of 3, 2, 1 and 0.5 s, three repetitions each."""
    fake_measure.seconds = [3, 2, 1, 0.5]
    outcome = ratios.spread_of_processes(CONTEXT, 4)(Conditions(threads=1))
    assert (outcome.ratio, outcome.note) == (6, '4 processes')
    assert [side['name'] for side in outcome.sides] == ['slowest process', 'fastest process']
    outcome = ratios.spread_of_repetitions(CONTEXT, 4)(Conditions(threads=1))
    times = np.repeat(fake_measure.seconds, 3)
    assert outcome.ratio == pytest.approx(np.percentile(times, 95) / np.median(times))


def test_the_memory_of_whole_processes(fake_measure):
    outcome = ROWS['inference-memory-8'].measure(Conditions(threads=1))
    assert outcome.ratio == pytest.approx(400 / 300)
    assert not fake_measure.compared, 'comparing takes memory'
    rows = {'x': document.measured(ROWS['inference-memory-8'], outcome, 1)}
    assert '400 MB / 300 MB' in document.as_markdown({'rows': rows})


def test_rows_of_engines_are_compared_before(fake_measure):
    ROWS['onnxruntime-1'].measure(Conditions(threads=1))
    theirs, ours = fake_measure.compared
    assert (theirs.workload, theirs.engine, ours.workload, ours.engine) == (
        'benchmarks.official:predict', 'onnxruntime', None, 'onnxruntime',
    )  # fmt: skip


@pytest.mark.parametrize('key', ENGINE_ROWS)
def test_workloads_of_rows_exist(fake_measure, key):
    from importlib import import_module

    ROWS[key].measure(Conditions(threads=1))
    for context in fake_measure[-1][0]:
        assert context.mode in ENGINES[context.engine]
        if context.workload:
            module, _, function = context.workload.partition(':')
            assert callable(getattr(import_module(module), function))
            assert str(instructions.IMPORTABLE['PYTHONPATH']) == context.environment['PYTHONPATH']


def test_both_sides_are_held_to_avx2(fake_measure):
    keys = [key for key in ROWS if key.startswith('avx2-')]
    assert len(keys) == 4
    for key in keys:
        outcome = ROWS[key].measure(Conditions(threads=1))
        assert [side['environment'] for side in outcome.sides] == [instructions.AVX2] * 2
        text = document.as_markdown({'rows': {key: document.measured(ROWS[key], outcome, 1)}})
        assert ', CBAM_INSTRUCTIONS=avx2 DNNL_MAX_CPU_ISA=AVX2, 1 threads' in text


def test_what_sides_were_measured_with(fake_measure):
    fake_measure.facts.update(
        versions={'openvino': '1.2', 'mxnet': '1.9.1'}, instructions='avx512',
        settings={'INFERENCE_PRECISION_HINT': 'f32'}, difference={'largest': 1e-7},
    )  # fmt: skip
    outcome = ROWS['mxnet-openvino-8'].measure(Conditions(threads=1))
    assert outcome.sides[0]['instructions'] == {'our operators': 'avx512', 'oneDNN': 'fake ISA'}
    assert outcome.sides[1]['settings'] == {'INFERENCE_PRECISION_HINT': 'f32'}
    assert outcome.sides[1]['difference'] == {'largest': 1e-7}
    text = document.as_markdown({'rows': {'x': document.measured(ROWS['mxnet-openvino-8'], outcome, 1)}})
    used = "OpenVINO's precision f32, mxnet 1.9.1, oneDNN for fake ISA, openvino 1.2, our operators for avx512"
    assert any(line.startswith('- 20') and line.endswith(used) for line in text.splitlines())


def test_every_side_of_a_row_has_versions(fake_measure):
    fake_measure.facts['versions'] = {'a': '1'}
    for key, row in ROWS.items():
        if key not in ('help', 'epoch') and 'loader' not in key:
            assert all(side['versions'] for side in row.measure(Conditions(threads=1)).sides), key


def test_commands_are_interleaved(tmp_path):
    def logging_command(name):
        code = f"open({str(tmp_path / 'log')!r}, 'a').write({name!r})"
        return name, [sys.executable, '-S', '-c', code]

    outcome = ratios.ratio_of_commands(logging_command('a'), logging_command('b'), 2)(Conditions(threads=1))
    assert (tmp_path / 'log').read_text() == 'abababab'
    medians = [side['milliseconds']['median'] for side in outcome.sides]
    assert outcome.ratio == pytest.approx(medians[0] / medians[1])
