"""Comparison of runs."""

import json
import os

import cv2
import pytest
import yaml
from checks import assert_one_line
from click_runner import runner

from gluon_cbam.cli.main import cli


def write_run(folder, scores, epochs=3, recipe=None, summary=None, old=True, cut=False):
    folder.mkdir(parents=True)
    (folder / 'config.yaml').write_text(yaml.safe_dump({'network': 'cbamnet_tiny', 'epochs': epochs, 'recipe': recipe}))
    lines = []
    for epoch, score in enumerate(scores, 1):
        speed = {'kind': 'interval', 'step': 10 * epoch, 'images_per_second': 100.0 * epoch, 'seconds': 60.0 * epoch}
        train = {'train_loss': 0.5 / epoch, 'train_top1': 0.5}
        val = {'val_loss': None if score is None else 1 / epoch, 'val_top1': score}
        at = {'epoch': epoch, 'epochs_done': epoch, 'step': 10 * epoch, 'seconds': 70.0 * epoch}
        lines += [speed, {'kind': 'epoch', **at, **train, **val}]
    text = ''.join(json.dumps(line) + '\n' for line in lines)
    (folder / 'metrics.jsonl').write_text(text + '{"kind": "inte' * cut)
    if summary is not None:
        (folder / 'summary.json').write_text(json.dumps({'steps': summary}))
    for path in folder.iterdir() if old else ():
        os.utime(path, (1, 1))
    return folder


@pytest.fixture
def runs(tmp_path):
    folder = tmp_path / 'runs'
    write_run(folder / 'a', [0.2, 0.6, 0.5], summary=30)
    write_run(folder / 'b', [0.1, 0.9], cut=True)
    write_run(folder / 'deep' / 'c', [None], recipe='paper', old=False)
    write_run(folder / 'longer', [0.3, 0.3, 0.3], epochs=5, summary=20)
    write_run(folder / 'fresh', [])
    write_run(folder / 'damaged', [0.1])
    (folder / 'damaged' / 'config.yaml').write_text('epochs: [')
    write_run(folder / 'foreign', [0.1])
    (folder / 'foreign' / 'config.yaml').write_text('tokens: 3')
    return folder


def test_the_table(cbam, runs):
    process = cbam('runs', runs, '--json')
    result = json.loads(process.stdout)
    assert [run['path'][len(str(runs)) + 1 :] for run in result['runs']] == ['b', 'a', 'longer', 'deep/c', 'fresh']
    b, a, longer, c, fresh = result['runs']
    assert (b['state'], b['epochs'], b['epochs_wanted'], b['steps']) == ('stopped at step 20', 2, 3, 20)
    assert (a['state'], a['best_top1'], a['seconds'], a['images_per_second']) == ('finished', 0.6, 210.0, 200.0)
    assert a['loss'] == pytest.approx(1 / 3)
    assert longer['state'] == 'stopped at step 30'
    assert (c['state'], c['recipe'], c['best_top1'], c['loss']) == ('running?', 'paper', None, 0.5)
    assert (fresh['steps'], fresh['images_per_second'], fresh['loss']) == (0, None, None)
    assert {entry['path'] for entry in result['damaged']} == {str(runs / 'damaged'), str(runs / 'foreign')}
    assert len(process.stderr.splitlines()) == 2
    lines = cbam('runs', runs).stdout.splitlines()
    assert lines[0].split() == ['run', 'network', 'recipe', 'epochs', 'steps', 'best', 'top-1', 'loss', 'images/s',
                                'time', 'state']  # fmt: skip
    assert lines[2].split() == [str(runs / 'a'), 'cbamnet_tiny', '-', '3/3', '30', '0.6000', '0.3333', '200', '3:30',
                                'finished']  # fmt: skip


def test_a_validation_within_an_epoch_counts(cbam, tmp_path):
    run = write_run(tmp_path / 'runs' / 'a', [0.2, 0.6])
    path = run / 'metrics.jsonl'
    first, *rest = path.read_text().splitlines()
    within = {'kind': 'validation', 'epoch': 1, 'epochs_done': 0.5, 'step': 5, 'seconds': 30.0, 'val_loss': 1.0}
    path.write_text('\n'.join([first, json.dumps({**within, 'val_top1': 0.75}), *rest]) + '\n')
    (value,) = json.loads(cbam('runs', run.parent, '--json').stdout)['runs']
    assert (value['best_top1'], value['epochs'], value['steps']) == (0.75, 2, 20)


def test_further_figures_are_those_of_the_best_validation(runs):
    path = runs / 'b' / 'metrics.jsonl'
    lines = [json.loads(line) for line in path.read_text().splitlines()[:4]]
    for line, (f1, ece) in zip(lines[1::2], ((0.05, 0.5), (0.85, 0.03))):
        line.update({'val_macro_f1': f1, 'val_ece': ece})
    lines.append({**lines[3], 'epoch': 3, 'val_top1': 0.9, 'val_macro_f1': 0.7, 'val_ece': 0.1})  # as good, and later
    path.write_text(''.join(json.dumps(line) + '\n' for line in lines))
    b, a, *_ = json.loads(runner().invoke(cli, ['runs', str(runs), '--json']).stdout)['runs']
    assert [(run['macro_f1'], run['ece']) for run in (b, a)] == [(0.85, 0.03), (None, None)]
    head, first, second, *_ = runner().invoke(cli, ['runs', str(runs)]).stdout.splitlines()
    assert head.split()[5:10] == ['best', 'top-1', 'macro', 'F1', 'ECE']
    assert first.split()[5:8] == ['0.9000', '0.8500', '0.0300']
    assert second.split()[5:8] == ['0.6000', '-', '-']


def test_the_plot(runs, tmp_path):
    assert runner().invoke(cli, ['runs', str(runs), '--plot', str(tmp_path / 'runs.png')]).exit_code == 0
    picture = cv2.imread(str(tmp_path / 'runs.png'))
    assert picture.shape[1] > 1000
    colors = {tuple(pixel) for pixel in picture.reshape(-1, 3)}
    assert {(0xB4, 0x77, 0x1F), (0x0E, 0x7F, 0xFF), (0x2C, 0xA0, 0x2C)} <= colors  # of the first three curves


def test_damaged_and_missing_runs(cbam, runs, tmp_path):
    assert 'no runs in' in assert_one_line(cbam('runs', tmp_path / 'none'), 2)
    for name in ('damaged', 'foreign'):
        (runs / name / 'config.yaml').unlink()
    assert 'a .png file' in assert_one_line(cbam('runs', runs, '--plot', tmp_path / 'runs.pdf'), 2)


def test_reading_runs_imports_no_mxnet(python, runs):
    code = f'import sys\nfrom gluon_cbam.training.logging.comparison import compare\ncompare({str(runs)!r})\n'
    assert python(code + "print({'mxnet', 'numpy'} & set(sys.modules))").stdout.strip() == 'set()'
