"""The options of ``cbam validate`` for classifiers."""

import csv
import json

import pytest
from checks import assert_one_line
from html_pages import checked_page

NETWORK = ['--network', 'cbamnet_tiny', '--pretrained', '--workers', 1]


def test_further_figures_and_files(digits, cbam_here, tmp_path):
    files = {
        '--report': tmp_path / 'report',
        '--confusion': tmp_path / 'c.csv',
        '--save-predictions': tmp_path / 'p.csv',
    }
    written = [argument for pair in files.items() for argument in pair]
    arguments = ['validate', *NETWORK, '--data-val', digits / 'val.rec']
    done = cbam_here(*arguments, '--top-k', '1,3,10', '--by-class', *written, '--json')
    assert done.returncode == 0, done.stderr
    value = json.loads(done.stdout)
    low, high = value['top1_interval']
    assert low < value['top1'] < high
    assert [row['k'] for row in value['top_k']] == [1, 3, 10]
    assert value['top_k'][0] == {'k': 1, 'accuracy': value['top1'], 'interval': value['top1_interval']}
    assert value['top_k'][2]['accuracy'] == 1
    assert sum(row['support'] for row in value['by_class']) == value['records'] == 360
    assert sum(row['f1'] for row in value['by_class']) / 10 == pytest.approx(value['macro_f1'])
    assert 'tta' not in value and 'views' not in value
    assert {name: value[name] for name in ('report', 'confusion', 'saved_predictions')} == {
        'report': str(tmp_path / 'report' / 'report.html'), 'confusion': str(tmp_path / 'c.csv'),
        'saved_predictions': str(tmp_path / 'p.csv'),
    }  # fmt: skip
    checked_page((tmp_path / 'report' / 'report.html').read_text(encoding='utf-8'))
    assert (tmp_path / 'report' / 'predictions.csv').read_bytes() == (tmp_path / 'p.csv').read_bytes()
    with open(tmp_path / 'p.csv', newline='') as file:
        table = list(csv.DictReader(file))
    assert sum(row['class'] == row['predicted'] for row in table) == round(360 * value['top1'])
    assert 'class_10' in table[0]  # of the largest K
    again = cbam_here(*arguments, *written)
    assert 'c.csv exists' in assert_one_line(again, 2)


def test_an_exported_file_has_the_same_figures(digits, exported_digits, cbam_here, tmp_path):
    options = ['--tta', 'flip', '--by-class', '--data-val', digits / 'val.rec', '--json']
    mine = json.loads(cbam_here('validate', *NETWORK, *options).stdout)
    assert (mine['tta'], mine['views']) == (['flip'], 2)
    for file in ('digits.onnx', 'pixels.onnx', 'pixels-symbol.json'):
        found = json.loads(cbam_here('validate', '--exported', exported_digits / file, '--workers', 1, *options).stdout)
        assert {name: found[name] for name in ('top1', 'macro_f1', 'by_class', 'tta', 'views')} == {
            name: mine[name] for name in ('top1', 'macro_f1', 'by_class', 'tta', 'views')
        }
        for name in ('loss', 'ece', 'brier'):
            assert found[name] == pytest.approx(mine[name], abs=1e-4)


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (['--top-k', ','], "--top-k takes whole numbers from 1 separated by commas, got ','"),
        (['--top-k', '0'], "whole numbers from 1 separated by commas, got '0'"),
        (['--top-k', '1,x'], "got '1,x'"),
        (['--top-k', '11'], '--top-k 11: cbamnet_tiny has 10 classes'),
        (['--tta', 'flop'], "unknown test-time augmentation 'flop': did you mean flip?"),
        (['--tta', 'five'], 'give a smaller ratio, or leave five and ten out'),
        (['--confusion', 'c.txt'], "a confusion matrix is a .csv or .png file, got 'c.txt'"),
        (['--save-predictions', 'p.json'], "--save-predictions writes a .csv file, got 'p.json'"),
        (['--confusion', 'p.csv', '--save-predictions', './p.csv'], 'give two files'),
        (['--confusion', 'confusions.png', '--report', '.'], "--report and --confusion both write 'confusions.png'"),
        (['--save-results', 'r.json'], 'finds no boxes'),
    ],
)
def test_options_that_do_not_fit_are_refused_before_the_work(digits, cbam_here, options, message):
    done = cbam_here('validate', *NETWORK, '--data-val', digits / 'val.rec', *options)
    assert message in assert_one_line(done, 2)


@pytest.mark.parametrize(
    ('options', 'tasks'),
    [
        (['--top-k', '2'], 'classification'),
        (['--by-class'], 'classification and multilabel'),
        (['--tta', 'flip'], 'classification and multilabel'),
        (['--confusion', 'c.csv'], 'classification'),
        (['--save-predictions', 'p.csv'], 'classification and multilabel'),
    ],
)
def test_other_tasks_do_not_have_them(digits, cbam_here, options, tasks):
    network = ['--network', 'ssd_300', '--classes', 5, '--image-size', 32, '--option', 'backbone=cbamnet_tiny']
    done = cbam_here('validate', *network, '--task', 'detection', '--data-val', digits / 'val.rec', *options)
    assert f'{options[0]} is for {tasks}, and the task is detection: leave it out' in done.stderr
    assert done.returncode == 2
    done = cbam_here('validate', '--results', 'r.json', '--data-val', digits / 'val.rec', *options)
    assert f'{options[0]} is for {tasks}, and the task is detection' in assert_one_line(done, 2)
