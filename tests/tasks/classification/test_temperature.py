"""Temperature scaling against SciPy's optimizer, and its options from the fit to predictions."""

import json
import re

import numpy as np
import pytest
from checks import assert_one_line
from scipy.optimize import minimize_scalar
from sklearn.metrics import log_loss

from gluon_cbam.common.errors import RunError
from gluon_cbam.tasks.classification.temperature import FittedTemperature, fit_temperature

NETWORK = ['--network', 'cbamnet_tiny', '--pretrained', '--workers', 1]


def sampled(temperature, count=3000, classes=7, seed=0):
    """Logits, and labels that are drawn from softmax(logits / temperature)."""
    random = np.random.RandomState(seed)
    logits = random.randn(count, classes) * 4
    noise = random.gumbel(size=logits.shape)  # the largest of logits and Gumbel noise is a draw from the softmax
    return logits, (logits / temperature + noise).argmax(axis=1)


def softmax(logits):
    values = np.exp(logits - logits.max(axis=1, keepdims=True))
    return values / values.sum(axis=1, keepdims=True)


@pytest.mark.parametrize('temperature', [0.3, 1, 2.5, 20])
def test_it_is_the_minimum_that_scipy_finds(temperature):
    logits, labels = sampled(temperature)

    def loss(log):
        return log_loss(labels, softmax(logits / np.exp(log)), labels=range(7))

    expected = minimize_scalar(loss, bounds=np.log([0.01, 1000]), method='bounded', options={'xatol': 1e-9})
    found = fit_temperature(logits, labels)
    assert found == pytest.approx(np.exp(expected.x), rel=1e-5)
    assert found == pytest.approx(temperature, rel=0.1)
    assert loss(np.log(found)) <= expected.fun + 1e-12


def test_offsets_and_large_logits_change_nothing():
    logits, labels = sampled(2, 9000)  # in several parts
    found = fit_temperature(logits, labels)
    assert fit_temperature(logits + 1e6, labels) == pytest.approx(found, rel=1e-6)
    assert fit_temperature(logits * 100, labels) == pytest.approx(found * 100, rel=1e-8)


def test_loss_and_calibration_before_and_after():
    logits, labels = sampled(3)
    fit = FittedTemperature.of(logits.astype(np.float32), labels)
    for temperature, loss, ece in zip((1, fit.temperature), fit.loss, fit.ece):
        probabilities = softmax(logits / temperature)
        assert loss == pytest.approx(log_loss(labels, probabilities, labels=range(7)), rel=1e-6)
        confidence, hits = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
        bins = np.ceil(confidence * 15)
        gaps = [abs((confidence - hits)[bins == each].sum()) for each in range(1, 16)]
        assert ece == pytest.approx(sum(gaps) / len(labels), rel=1e-5)
    assert fit.loss[1] < fit.loss[0] and fit.ece[1] < fit.ece[0] / 4


@pytest.mark.parametrize(
    ('logits', 'towards'),
    [
        (np.eye(4)[[0, 1, 2, 3]], '0.01'),  # all are recognized: the surer, the better
        (np.eye(4)[[1, 2, 3, 0]], '1000'),  # worse than chance: the less sure, the better
        (np.zeros((4, 4)), '1000'),  # the same at any temperature
    ],
)
def test_records_that_no_temperature_fits(logits, towards):
    with pytest.raises(RunError, match=f'fits these 4 records: the loss falls up to {towards}: give more records'):
        fit_temperature(logits, np.arange(4))


def test_it_is_fitted_and_applied_by_the_commands(digits, exported_digits, cbam_here):
    validate = ['validate', '--data-val', digits / 'val.rec']
    done = cbam_here(*validate, *NETWORK, '--fit-temperature', '--json')
    assert done.returncode == 0, done.stderr
    value = json.loads(done.stdout)
    fit = value['fitted_temperature']
    assert fit['records'] == value['records'] == 360
    assert (fit['nll']['before'], fit['ece']['before']) == pytest.approx((value['loss'], value['ece']), abs=1e-9)
    assert fit['nll']['after'] < fit['nll']['before']
    given = ['--temperature', repr(fit['temperature'])]
    for network in (NETWORK, ['--exported', exported_digits / 'digits.onnx', '--workers', 1]):
        found = json.loads(cbam_here(*validate, *network, *given, '--json').stdout)
        assert (found['loss'], found['ece']) == pytest.approx((fit['nll']['after'], fit['ece']['after']), abs=1e-4)
        assert (found['temperature'], found['top1']) == (fit['temperature'], value['top1'])
    lines = cbam_here(*validate, *NETWORK, '--fit-temperature').stdout.splitlines()
    assert re.fullmatch(
        r'fitted on these records: --temperature [\d.]+: NLL [\d.]+ to [\d.]+, ECE [\d.]+ to [\d.]+', lines[1]
    )


def test_predictions_are_scaled(digits, cbam_here):
    def probabilities(*options):
        done = cbam_here('predict', digits / 'val.rec', *NETWORK, '--limit', 5, '--top-k', 10, *options, '--json')
        rows = [each['top'] for each in json.loads(done.stdout)['images']]
        return [{row['class']: row['probability'] for row in top} for top in rows]

    for plain, scaled in zip(probabilities(), probabilities('--temperature', 3)):
        expected = np.array([plain[number] for number in range(10)]) ** (1 / 3)
        assert [scaled[number] for number in range(10)] == pytest.approx(expected / expected.sum(), rel=1e-4)


@pytest.mark.parametrize('command', ['validate', 'predict'])
@pytest.mark.parametrize('value', ['0', '-1', 'nan', 'inf', 'warm'])
def test_other_temperatures_are_refused(command, value, cbam_here):
    data = ['--data-val', 'x.rec'] if command == 'validate' else ['x.png']
    done = cbam_here(command, *data, *NETWORK, '--temperature', value)
    assert '--temperature' in assert_one_line(done, 2)


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (['--fit-temperature', '--temperature', '2'], 'leave --temperature out'),
        (['--fit-temperature', '--tta', 'flip'], 'leave --tta out'),
        (
            ['--fit-temperature', '--task', 'multilabel'],
            '--fit-temperature is for classification, and the task is mult',
        ),
        (['--temperature', '2', '--task', 'multilabel'], '--temperature is for classification, and the task is multil'),
    ],
)
def test_what_does_not_go_together(options, message, digits, cbam_here):
    done = cbam_here('validate', '--network', 'cbamnet_tiny', '--data-val', digits / 'val.rec', *options)
    assert message in done.stderr and done.returncode == 2
