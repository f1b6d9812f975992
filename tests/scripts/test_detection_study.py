"""The study of attention in detectors: its runs, its page, and a small version of it."""

import json

import detection_study
import numpy as np
import pytest
from click.testing import CliRunner
from detection_studies import report


@pytest.fixture
def commands(monkeypatch):
    """Commands instead of processes; a training writes scores that tell the network and the seed."""
    called = []

    def call(*arguments):
        called.append(arguments)
        value = dict(zip(arguments, arguments[1:]))
        if arguments[0] == 'data':
            folder = detection_study.Path(arguments[2])
            folder.mkdir(parents=True)
            (folder / 'classes.txt').write_text('a\n')
        if arguments[0] == 'train':
            place = sum(arguments.count(flag) for flag in ('attention=cbam', 'attention_in=both'))
            ap = 0.2 + 0.1 * place + 0.01 * int(value['--seed']) ** 2 + 0.05 * (value['--epochs'] == '2')
            output = detection_study.Path(value['--output'])
            output.mkdir(parents=True, exist_ok=True)
            (output / 'summary.json').write_text(json.dumps({'final': {'ap': ap, 'ap50': 2 * ap, 'voc07': 0.5}}))
        return {'parameters': 1000 + len(arguments)}, 12.34

    monkeypatch.setattr(detection_study, 'measured_call', call)
    for module in ('study', 'detection_studies.pictures'):
        monkeypatch.setattr(f'{module}.call', lambda *arguments: call(*arguments)[0])
    return called


def study(folder, *arguments):
    done = CliRunner().invoke(
        detection_study.main,
        [
            '--work',
            str(folder / 'work'),
            '--docs',
            str(folder),
            '--jobs',
            '1',
            '--seeds',
            '3',
            '--epochs',
            '1',
            *arguments,
        ],
    )
    assert done.exit_code == 0, done.output
    return json.loads((folder / 'detection.json').read_text())


def test_every_network_is_trained_with_every_seed_once(commands, tmp_path):
    results = study(tmp_path, '--images', '64')
    trained = [each for each in commands if each[0] == 'train']
    assert len(trained) == 2 * (6 * 3 + 1), 'and the first one longer'
    assert len(results['runs']) == 36
    assert {run['cpu_seconds'] for run in results['runs']} == {12.3}
    again = study(tmp_path, '--images', '64')
    assert sum(each[0] == 'train' for each in commands) == len(trained)
    assert again['runs'] == results['runs']


def test_a_run_that_was_stopped_is_resumed_and_has_no_time(commands, tmp_path):
    study(tmp_path)
    output = tmp_path / 'work' / 'trees' / 'runs' / 'CBAM-in-both-3000-images-1-epochs-seed2'
    for name in ('summary.json', 'cpu_seconds.json'):
        (output / name).unlink()
    del commands[:]
    results = study(tmp_path)
    (trained,) = [each for each in commands if each[0] == 'train']
    assert trained[trained.index('--resume') + 1] == 'auto'
    assert trained[trained.index('--output') + 1] == str(output)
    runs = [run for run in results['runs'] if run['network'] == 'CBAM in both']
    assert [run['cpu_seconds'] for run in runs if run['pictures'] == 'trees'] == [12.3, 12.3, None]


def test_every_seed_draws_scenes_and_all_have_the_same_trees(commands, tmp_path):
    study(tmp_path, '--images', '70')
    drawn = [each for each in commands if each[:2] == ('data', 'shapes')]
    assert [each[-1] for each in drawn] == ['0', '1', '2']
    assert all(each[each.index('--val') + 1] == '7' for each in drawn)
    assert sum(each[:2] == ('data', 'trees') for each in commands) == 1


def test_the_page_says_what_differs(commands, tmp_path):
    """The differences of the stub are the same for all seeds but for SE, which is the network without attention."""
    study(tmp_path, '--no-trees')
    page = (tmp_path / 'detection.md').read_text()
    assert '| CBAM in both | 1,0' in page
    assert '| 0.4167 ± 0.0208 | 0.8333 ± 0.0416 | 0.5000 ± 0.0000 | 12 |' in page
    assert '| SE in the backbone | +0.0000 (+0.0000 to +0.0000) |' in page
    assert '| CBAM in both | **+0.2000 (+0.2000 to +0.2000)** | **+0.4000 (+0.4000 to +0.4000)** | ' in page
    assert 'CBAM in the heads: AP +0.100, AP50 +0.200;' in page
    assert '"CBAM in the backbone" minus that of "SE in the backbone": Drawn scenes +0.1000 (+0.1000 to' in page
    assert 'an AP of 0.2000 after 1 epochs, and of 0.2500 after 2' in page
    assert '{' not in page
    assert (tmp_path / 'detection.png').stat().st_size > 10_000


def test_the_page_is_made_anew_from_the_results(commands, tmp_path):
    study(tmp_path, '--images', '64')
    page = (tmp_path / 'detection.md').read_text()
    (tmp_path / 'detection.md').unlink()
    del commands[:]
    study(tmp_path, '--page-only')
    assert (tmp_path / 'detection.md').read_text() == page
    assert not commands


def test_differences_are_those_of_seeds():
    """Runs in any order; the difference is of the same seed, however far the seeds are apart."""
    values = {'no attention': [0.1, 0.5, 0.3], 'CBAM in both': [0.2, 0.6, 0.41]}
    runs = [
        {'pictures': 'trees', 'network': name, 'seed': seed, 'ap': ap[seed], 'ap50': 0, 'voc07': 0, 'cpu_seconds': None}
        for name, ap in values.items()
        for seed in (2, 0, 1)
    ]
    rows = report.outcomes({'runs': runs, 'parameters': {'trees': dict.fromkeys(values, 5)}})
    found = {each.figure: each.difference for each in report._differences(rows)}
    assert found['AP'].mean == pytest.approx(np.mean([0.1, 0.1, 0.11]))
    assert found['AP'].differs
    assert rows[0].seconds == '-'


@pytest.mark.slow
def test_a_detector_of_the_study_is_trained(tmp_path):
    found = detection_study._run(detection_study.ROWS[-1], 0, 'scenes', {'scenes': 1}, 64, tmp_path)
    assert 0 <= found['ap'] <= found['ap50'] < 1
    assert found['cpu_seconds'] > 0
