"""The benchmark table: its rows, their record as JSON, and the Markdown made from it."""

import json

import pytest
from benchmark import _selected_rows
from benchmarks import document, ratios
from benchmarks.detection_rows import DETECTION_ROWS
from benchmarks.ratios import Conditions, Ratio, at_least, at_most
from benchmarks.rows import ROWS, Row

from gluon_cbam.benchmarks.engines import ENGINES
from gluon_cbam.benchmarks.process import Measurement
from gluon_cbam.common.errors import EnvironmentProblem, UsageError
from gluon_cbam.models.variants import VARIANTS

_BY_SCRIPTS = ('onnxruntime', 'openvino', 'int8')


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


def test_rows_are_chosen_by_patterns():
    assert _selected_rows('help,ssd-300-*-8,help', False) == ['help', *_keys('ssd-300-', '-8')]
    assert _selected_rows(None, False) == list(ROWS)
    assert _selected_rows(None, True) == []
    with pytest.raises(UsageError, match="unknown row 'lodaer': did you mean loader"):
        _selected_rows('lodaer', False)


def _keys(begin, end):
    return [key for key in ROWS if key.startswith(begin) and key.endswith(end)]


def measured(context, seconds, peak):
    facts = {'images': context.batch, 'device': 'fake', 'versions': {}, 'imported_bytes': 100e6}
    return Measurement(context, facts, seconds, peak)


@pytest.fixture
def fake_measure(monkeypatch):
    """Replaces all processes: the first of two contexts takes 3 s and 400 MB, the second 2 s and 300 MB."""
    requested = []

    def measure(contexts, repetitions, warm_up):
        requested.append((contexts, repetitions))
        return [measured(context, [3.0 - n] * 3, (400 - 100 * n) * 1e6) for n, context in enumerate(contexts)]

    monkeypatch.setattr(ratios, 'measure', measure)
    return requested


_OF_CONTEXTS = [key for key in ROWS if key.endswith('-8') and not key.startswith(_BY_SCRIPTS)]


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
    assert not ratios.Path(contexts[0].data).exists()


def test_onnx_rows_need_files():
    with pytest.raises(EnvironmentProblem, match='needs --our-onnx and --official-onnx'):
        ROWS['onnxruntime-8'].measure(Conditions(threads=1))


def test_ratios_from_scripts(tmp_path, monkeypatch):
    monkeypatch.setattr(ratios, 'SCRIPTS', tmp_path)
    with pytest.raises(EnvironmentProblem, match='benchmark_onnx.py is not there'):
        ROWS['onnxruntime-8'].measure(Conditions(threads=1, official_onnx='o.onnx', our_onnx='x/n.onnx'))
    (tmp_path / 'benchmark_onnx.py').write_text(
        'import json, sys\n'
        "assert sys.argv[1:] == ['--official', 'o.onnx', 'x/n.onnx', '--engine', 'onnxruntime', '--batch', '8',\n"
        "    '--threads', '1', '--json'], sys.argv\n"
        'row = lambda file, median, ratio: dict(file=file, milliseconds=dict(median=median), ratio=ratio)\n'
        "print(json.dumps(dict(rows=[row('o.onnx', 30, 1), row('x/n.onnx', 20, 1.5)])))\n"
    )
    outcome = ROWS['onnxruntime-8'].measure(Conditions(threads=1, official_onnx='o.onnx', our_onnx='x/n.onnx'))
    assert outcome.ratio == 1.5
    assert [side['name'] for side in outcome.sides] == ['o.onnx', 'n.onnx']
    (tmp_path / 'benchmark_int8.py').write_text("raise SystemExit('no such network')")
    with pytest.raises(EnvironmentProblem, match='benchmark_int8.py ended with 1: no such network'):
        ROWS['int8-1'].measure(Conditions(threads=1))


def test_commands_are_interleaved(tmp_path):
    def logging_command(name):
        code = f"open({str(tmp_path / 'log')!r}, 'a').write({name!r})"
        return name, [ratios.sys.executable, '-S', '-c', code]

    outcome = ratios.ratio_of_commands(logging_command('a'), logging_command('b'), 2)(Conditions(threads=1))
    assert (tmp_path / 'log').read_text() == 'abababab'
    medians = [side['milliseconds']['median'] for side in outcome.sides]
    assert outcome.ratio == pytest.approx(medians[0] / medians[1])
