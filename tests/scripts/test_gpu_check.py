"""``scripts/gpu_check`` on CPU contexts, and that it reports what is wrong."""

import ctypes
import json
import subprocess
import time
from pathlib import Path

import gpu_check
import pytest
from click.testing import CliRunner
from gpu_checks import report, table

from gluon_cbam.common.errors import EnvironmentProblem, UsageError
from gluon_cbam.compat import versions

SCRIPT = Path(gpu_check.__file__).with_suffix('')
PATIENCE = '20'  # the machine of the tests may be slow, and busy
# not 'suite' and 'resume', which run what this suite runs in other places, nor 'speed', which measures, nor 'memory':
# below a limit of memory, MXNet's threads on a CPU may end the process by SIGABRT
QUICK = 'operators', 'networks', 'float16', 'devices'


def check(name, seconds=300):
    return table.Check(name, f'planted_checks:{name}', seconds, f'planted: {name}')


def has_ended(pid):
    """Whether a process has ended; nobody may have waited for it yet."""
    deadline = time.time() + 60
    while time.time() < deadline:
        try:
            stat = Path(f'/proc/{pid}/stat').read_text()
        except OSError:
            return True
        if stat.rpartition(')')[2].split()[0] == 'Z':
            return True
        time.sleep(0.05)
    return False


def run(monkeypatch, folder, *checks):
    """The report of planted checks, and the exit code."""
    monkeypatch.setattr(gpu_check, 'CHECKS', checks)
    monkeypatch.setattr(gpu_check, 'chosen', lambda names: list(checks))
    done = CliRunner().invoke(gpu_check.main, ['--cpu', '--quick', '--output', str(folder)])
    return json.loads((folder / 'report.json').read_text()), done.exit_code


@pytest.mark.slow
def test_every_check_passes_on_cpu_contexts(tmp_path):
    names = [text for name in QUICK for text in ('--only', name)]
    done = CliRunner().invoke(
        gpu_check.main, ['--cpu', '--quick', '--patience', PATIENCE, '--output', str(tmp_path), *names]
    )
    text = (tmp_path / 'report.md').read_text()
    assert done.exit_code == 0, text
    found = json.loads((tmp_path / 'report.json').read_text())
    assert {each['name']: each['outcome'] for each in found['checks']} == dict.fromkeys(QUICK, 'passed')
    assert found['machine']['packages']['mxnet'] == '1.9.1'


def test_what_is_wrong_is_reported_and_does_not_stop_the_others(tmp_path, monkeypatch):
    found, code = run(monkeypatch, tmp_path, check('wrong'), check('dies'), check('hangs', 8), check('right'))
    assert code == 1
    wrong, dies, hangs, right = found['checks']
    assert [each['outcome'] for each in found['checks']] == ['FAILED', 'FAILED', 'TIMED OUT', 'passed']
    outputs, gradients = wrong['figures'][:2]
    assert (outputs['ok'], outputs['value'] > outputs['limit']) == (False, True)
    assert gradients['ok']
    assert dies['notes'] == ['its process ended with exit code -6']
    assert 'in dies' in dies['standard_error']
    for figure in hangs['figures']:  # none if the process did not come so far
        assert has_ended(int(figure['value']))
        assert 'in hangs' in hangs['standard_error']
    assert right['standard_error'] == ''
    text = (tmp_path / 'report.md').read_text()
    assert '| cbamnet_tiny: outputs |' in text
    assert text.count('FAILED |') == 3
    assert text.splitlines()[2].startswith('1 passed, 1 TIMED OUT, 2 FAILED, on CPU contexts')


def test_an_error_in_one_part_is_recorded_with_its_traceback(tmp_path):
    from gpu_checks.recorder import Recorder, Skipped

    record = Recorder(tmp_path / 'findings')
    with record.part('one'):
        raise ValueError('planted')
    with record.part('two'):
        raise Skipped('there is none')
    record.figure('not a number', float('nan'), 1.0)
    first, second, third = map(json.loads, (tmp_path / 'findings').read_text().splitlines())
    assert first['failure'] == 'one'
    assert first['traceback'].endswith('ValueError: planted\n')
    assert second == {'note': 'two: left out: there is none'}
    assert (third['value'], third['ok']) == ('nan', False)


def test_a_check_without_any_figure_has_failed(tmp_path):
    from gpu_checks.process import _result

    assert _result(check('right'), 0, 1.0, 1.0, [], '')['outcome'] == 'FAILED'
    assert report.has_failed({'checks': [{'outcome': 'TIMED OUT'}]})


@pytest.mark.parametrize('text', ['nan', 'inf', '0', '-1', '1e999', 'two'])
def test_patience_is_a_finite_number(text, tmp_path):
    done = CliRunner().invoke(gpu_check.main, ['--cpu', '--patience', text, '--output', str(tmp_path / 'report')])
    assert isinstance(done.exception, UsageError) and not (tmp_path / 'report').exists()
    assert str(done.exception) == f'--patience: a finite number above 0 is needed, got {text!r}'


def test_unknown_names():
    with pytest.raises(UsageError, match="--only 'sped': did you mean speed or speed16"):
        gpu_check.chosen(['sped'])
    assert [each.name for each in gpu_check.chosen(['speed', 'suite'])] == ['suite', 'speed']
    assert sum(each.seconds for each in table.CHECKS) <= 600


def test_without_a_gpu(monkeypatch):
    monkeypatch.setattr(versions, 'mxnet_is_gpu_build', lambda: False)
    with pytest.raises(EnvironmentProblem, match='no GPU build of mxnet: looked for mxnet-cu117'):
        gpu_check.gpus_of(None)
    monkeypatch.setattr(versions, 'mxnet_is_gpu_build', lambda: True)
    for capabilities, found in (([], 'none'), ([(9, 0)], '9.0')):
        monkeypatch.setattr(gpu_check.cuda, 'compute_capabilities', lambda found=capabilities: found)
        with pytest.raises(EnvironmentProblem, match=f'5.0 to 8.9, found {found}; --cpu tries'):
            gpu_check.gpus_of(None)
    monkeypatch.setattr(gpu_check.cuda, 'compute_capabilities', lambda: [(7, 5), (9, 0), (8, 6)])
    assert gpu_check.gpus_of(None) == '0,2'
    assert gpu_check.gpus_of('2') == '2'


def test_without_a_driver_nothing_is_installed():
    try:
        ctypes.CDLL('libcuda.so.1')
    except OSError:
        done = subprocess.run([str(SCRIPT)], capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 3
        assert done.stdout == ''
        (line,) = done.stderr.splitlines()
        assert 'looked for the NVIDIA driver (libcuda.so.1)' in line
    else:
        pytest.skip('this machine has an NVIDIA driver')
