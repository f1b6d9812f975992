"""Outputs that cannot be written are refused before the work: before networks are loaded or records are read."""

import sys

import pytest
from checks import assert_one_line

pytestmark = pytest.mark.skipif(not sys.platform.startswith('linux'), reason='/proc is of Linux')
TINY = ('--network', 'cbamnet_tiny', '--pretrained')


@pytest.fixture
def no_work(monkeypatch):
    """Fails a test that evaluates or predicts."""
    from gluon_cbam.inference import prediction
    from gluon_cbam.tasks import evaluation

    def work(*arguments, **named):
        pytest.fail('it has begun')

    monkeypatch.setattr(evaluation, 'evaluate', work)
    monkeypatch.setattr(prediction, 'predict', work)


@pytest.mark.parametrize('overwrite', [[], ['--force']])
@pytest.mark.parametrize('option', ['--report', '--save-predictions', '--confusion'])
def test_validate(option, overwrite, digits, cbam_here, no_work):
    place = '/proc/x' if option == '--report' else '/proc/x.csv'
    done = cbam_here('validate', *TINY, '--data-val', digits / 'val.rec', option, place, *overwrite)
    assert 'no file can be made in /proc: ' in assert_one_line(done, 5)


@pytest.mark.parametrize('option', ['--csv', '--jsonl', '--output'])
def test_predict(option, digits, cbam_here, tmp_path, no_work):
    done = cbam_here('predict', digits / 'val.rec', *TINY, option, '/proc/new/x.csv')
    assert 'no file can be made in /proc: ' in assert_one_line(done, 5)
    (tmp_path / 'x.csv').mkdir()
    done = cbam_here('predict', digits / 'val.rec', *TINY, option, tmp_path / 'x.csv')
    assert 'x.csv is a folder, where a file is to be written' in assert_one_line(done, 2)


def test_explain(digits, cbam_here):
    for given in (['--network', 'no such network'], ['--compare', 'no such network']):
        done = cbam_here('explain', digits / 'val.rec', *given, '--output', '/proc/x')
        assert 'no file can be made in /proc: ' in assert_one_line(done, 5)


def test_runs(cbam_here, tmp_path):
    done = cbam_here('runs', tmp_path / 'no such folder', '--plot', '/proc/x.png')
    assert 'no file can be made in /proc: ' in assert_one_line(done, 5)
