"""What works where neither mxnet nor the calls of POSIX exist, as on Windows: one process runs many commands."""

import json
import os
import subprocess
import sys
from pathlib import Path

import cv2
import pytest
from detection_sets import coco_json, coco_results, random_set
from records import photo

from gluon_cbam.cli.main import cli
from gluon_cbam.data.boxes.table import Boxes
from gluon_cbam.tasks.detection.metrics.scores import score

ROOT = Path(__file__).parent.parent.parent
SEVEN = ROOT / 'tests' / 'data' / 'seven.png'
WEIGHTS = ROOT / 'zoo' / 'files' / 'cbamnet_tiny.digits.params'

# read by every process at its start, so by those that packing starts too. None in sys.modules lets an import fail as if
# the module were not there
HIDING = """
import os, signal, sys, multiprocessing
sys.modules.update(dict.fromkeys(['mxnet', 'gluoncv', 'fcntl', 'resource', 'pwd', 'grp', 'termios']))
for name in ('fork', 'forkpty', 'sched_getaffinity', 'pread', 'pwrite', 'getuid', 'geteuid', 'link', 'sysconf',
             'killpg', 'statvfs', 'O_CLOEXEC', 'O_DIRECTORY', 'O_NOFOLLOW'):
    vars(os).pop(name, None)
for name in ('SIGHUP', 'SIGUSR1', 'SIGUSR2'):
    vars(signal).pop(name, None)
multiprocessing.set_start_method('spawn')
"""
RUN = """
import json, sys
from click.testing import CliRunner
from gluon_cbam.cli.main import cli
results = []
for words in json.loads(sys.stdin.read()):
    done = CliRunner().invoke(cli, words)
    results.append([words, done.exit_code, done.output])
assert not sys.modules['mxnet']
print(json.dumps(results))
"""


@pytest.fixture(scope='module')
def run(tmp_path_factory):
    """Runs commands in one process without mxnet and POSIX; returns (exit code, output) of each."""
    hiding = tmp_path_factory.mktemp('hiding')
    (hiding / 'sitecustomize.py').write_text(HIDING)

    def run_all(*commands):
        environment = {**os.environ, 'PYTHONPATH': f'{hiding}{os.pathsep}{ROOT}', 'CBAM_ZOO_OFFLINE': '1'}
        words = json.dumps([[str(word) for word in command] for command in commands])
        done = subprocess.run(
            [sys.executable, '-c', RUN], input=words, capture_output=True, text=True,
            env=environment, timeout=300, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return [(code, output) for _, code, output in json.loads(done.stdout)]

    return run_all


def test_data(run, tmp_path):
    for number in range(8):
        folder = tmp_path / 'photos' / 'ab'[number % 2]
        folder.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(folder / f'{number}.jpg'), photo(20, 30, number))
    packed = tmp_path / 'packed' / 'train.rec'
    results = run(
        ('data', 'list', tmp_path / 'photos', tmp_path / 'photos'),
        ('data', 'pack', tmp_path / 'photos', tmp_path / 'packed', '--resize', 16, '--workers', 2),
        ('data', 'check', packed, '--workers', 1),
        ('data', 'stats', packed, '--workers', 1),
        ('data', 'index', packed),
        ('data', 'shapes', tmp_path / 'shapes', '--train', 2, '--val', 2, '--classes', 2),
    )
    assert [(code, output) for code, output in results if code] == []
    assert 'train.rec: 8 records' in results[1][1]
    assert '8 records' in results[2][1] and ': ok' in results[2][1]


def test_results_of_detectors(run, tmp_path):
    truths, found = random_set(0)
    truths = [Boxes.of(each.corners, each.classes) for each in truths]
    (tmp_path / 'val.json').write_text(json.dumps(coco_json(truths, 5)))
    (tmp_path / 'results.json').write_text(json.dumps(coco_results(found)))
    words = ('validate', '--results', tmp_path / 'results.json', '--data-val', tmp_path / 'val.json', '--json')
    [(code, output)] = run((*words, '--report', tmp_path / 'report'))
    assert code == 0, output
    figures = score(truths, found, [f'class {number}' for number in range(5)]).figures
    assert json.loads(output)['ap'] == figures['ap']
    assert (tmp_path / 'report' / 'report.html').is_file()


def test_exported_files(run, exported_digits, digits, cbam_here, tmp_path):
    """The same predictions and accuracies as with mxnet."""
    commands = (
        ('predict', SEVEN, '--exported', exported_digits / 'digits.onnx', '--csv', '-'),
        ('predict', digits / 'val.rec', '--exported', exported_digits / 'pixels.onnx', '--limit', 3, '--csv', '-'),
        ('validate', '--exported', exported_digits / 'digits.onnx', '--data-val', digits / 'val.rec', '--json'),
    )
    shown = tmp_path / 'shown'
    explained = ('explain', SEVEN, '--exported', exported_digits / 'digits.onnx', '--output', shown, '--report')
    explained = (*explained, '--verify', '--json')
    alone = run(*commands, explained)
    beside = [cbam_here(*command) for command in commands]
    assert [code for code, _ in alone] == [0, 0, 0, 0]
    assert sorted(path.name for path in shown.iterdir()) == ['report.html', 'seven.png']
    assert [output for _, output in alone[:2]] == [done.stdout for done in beside[:2]]
    value = json.loads(alone[3][1].splitlines()[-1])  # after what standard error says
    assert set(value['verify']) >= {'random_images', 'first_batch'}
    figures = [json.loads(text) for text in (alone[2][1], beside[2].stdout)]
    assert figures[0]['top1'] == figures[1]['top1'] > 0.9


WORK = {
    'models list': ('models', 'list', 'cbam_resnet'),
    'zoo list': ('zoo', 'list'),
    'zoo info': ('zoo', 'info', 'cbamnet_tiny'),
    'zoo get': ('zoo', 'get', 'cbamnet_tiny'),
    'zoo path': ('zoo', 'path', 'cbamnet_tiny'),
    'zoo verify': ('zoo', 'verify', 'cbamnet_tiny'),
    'recipes list': ('recipes', 'list'),
    'recipes show': ('recipes', 'show', 'paper'),
    'completion': ('completion', 'bash'),
    'version': ('--version',),
}
NEED_MXNET = {
    'models info': ('models', 'info', 'cbamnet_tiny'),
    'models table': ('models', 'table'),
    'zoo verify, measured': ('zoo', 'verify', 'cbamnet_tiny', '--data-val', 'val.rec'),
    'zoo publish': ('zoo', 'publish', 'run', '--name', 'x', '-o', 'y'),
    'predict': ('predict', SEVEN, '--pretrained', '--network', 'cbamnet_tiny'),
    'validate': ('validate', '--network', 'cbamnet_tiny', '--data-val', 'val.rec'),
    'explain': ('explain', SEVEN, '--pretrained', '--network', 'cbamnet_tiny'),
    'train': ('train', '--network', 'cbamnet_tiny', '--data-train', 'train.rec'),
    'export': ('export', '--pretrained', 'cbamnet_tiny.digits', '-o', 'x.onnx'),
    'convert': ('convert', WEIGHTS, 'x.npz', '--source', 'keras', '--reverse'),
    'bench': ('bench', 'predict', '--network', 'cbamnet_tiny'),
}


def _helps():
    groups = {name: getattr(command, 'commands', {}) for name, command in cli.commands.items()}
    words = [(name,) for name in groups] + [(name, part) for name, parts in groups.items() for part in parts]
    return {' '.join(each): (*each, '--help') for each in [(), *words]}


@pytest.fixture(scope='module')
def answers(run):
    """Group -> name of a command -> (exit code, output), of one process."""
    launch = {'launch': ('launch', '-n', 1, '--', 'true')}
    groups = {'work': WORK, 'need': NEED_MXNET, 'help': _helps(), 'signals': launch}
    results = iter(run(*(command for group in groups.values() for command in group.values())))
    return {title: {name: next(results) for name in group} for title, group in groups.items()}


def test_networks_weights_and_recipes(answers):
    works = answers['work']
    assert {name: result for name, result in works.items() if result[0]} == {}
    assert 'cbam_resnet50' in works['models list'][1].splitlines()
    assert Path(works['zoo path'][1].strip()).is_file()
    assert 'intact' in works['zoo verify'][1]


def test_every_help_is_shown(answers):
    assert len(answers['help']) > 30
    assert {name: result for name, result in answers['help'].items() if result[0]} == {}


def test_jobs_need_signals(answers):
    code, output = answers['signals']['launch']
    assert (code, output.count('\n')) == (3, 1)
    assert output.startswith('cbam: jobs need the signals of POSIX')


def test_what_needs_mxnet_says_so_in_one_line(answers):
    assert {name: result for name, result in answers['need'].items() if result[0] != 3} == {}
    for name, (_, output) in answers['need'].items():
        assert 'mxnet is not installed: ' in output, name
        assert output.count('\n') == 1, name
        assert '--exported FILE.onnx' in output, name
