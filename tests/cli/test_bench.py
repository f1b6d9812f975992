"""``cbam bench``: JSON, comparisons and errors."""

import json
from contextlib import contextmanager

import pytest
from checks import assert_one_line

from gluon_cbam.benchmarks import comparison, process
from gluon_cbam.benchmarks.process import Measurement
from gluon_cbam.common.errors import DependencyError, RunError, UsageError

CONTRACT = {'network', 'mode', 'batch', 'images_per_second', 'milliseconds', 'device'}


@pytest.fixture
def no_processes(monkeypatch):
    """Replaces measurements: 1 second for the first context, 2 for the second and so on; returns the contexts."""
    requested = Requested()

    def measure(contexts, repetitions, warm_up, progress, refused):
        for context in contexts:
            if context.engine in requested.errors:
                refused(context, requested.errors[context.engine])
            else:
                requested.append(context)
        facts = {'images': 8, 'device': 'fake', 'versions': {'mxnet': '1.9.1'}, 'imported_bytes': 2e8}
        return [
            Measurement(
                context, {**facts, **requested.facts.get(context.engine, {})}, [1.0 + n] * repetitions, int(3e8)
            )
            for n, context in enumerate(requested)
        ]

    @contextmanager
    def same_weights(contexts):
        yield [context.replace(reference='folder') for context in contexts]

    monkeypatch.setattr(process, 'measure', measure)
    monkeypatch.setattr(comparison, 'same_weights', same_weights)
    return requested


class Requested(list):
    """The contexts that are measured; engine -> the error with which its process starts, or its facts."""

    def __init__(self):
        super().__init__()
        self.errors, self.facts = {}, {}


def said(finished):
    """Lines on standard error, without the one that the machine is busy, as a machine that runs tests may be."""
    return [line for line in finished.stderr.splitlines() if not line.startswith('cbam: the machine is busy: ')]


def test_real_measurements(cbam):
    flags = ['--image-size', 8, '--classes', 10, '-b', 2, '--repetitions', 2, '--warm-up', 1]
    finished = cbam('bench', 'predict', '--network', 'cbamnet_tiny', '--against', 'cifar_resnet18', *flags, '--json')
    assert (finished.returncode, said(finished)) == (0, [])
    value = json.loads(finished.stdout)
    assert set(value) >= CONTRACT
    assert ('machine is busy' in finished.stderr) is value.get('busy', False)
    assert (value['network'], value['mode'], value['batch'], value['device']) == (
        'cbamnet_tiny',
        'predict',
        2,
        'cpu(0)',
    )
    times = value['milliseconds']
    assert set(times) == {'min', 'p5', 'median', 'p95'}
    assert 0 < times['min'] <= times['p5'] <= times['median'] <= times['p95']
    assert value['images_per_second'] == pytest.approx(2000 / times['median'])
    (other,) = value['compared']
    assert other['network'] == 'cifar_resnet18'
    assert other['time_ratio'] == pytest.approx(times['median'] / other['milliseconds']['median'])
    assert other['ratio_to_ours'] == pytest.approx(other['milliseconds']['median'] / times['median'])
    assert 0 < value['used_bytes'] < value['peak_bytes'] < 2e9
    assert value['versions']['mxnet'] == '1.9.1'
    assert 'the network alone' in value['measured']


def test_the_loader_compared_with_bare_decoding(cbam, tmp_path):
    from records import encoded, write

    write(tmp_path / 'photos.rec', [encoded()] * 8)
    flags = ['--data', tmp_path / 'photos.rec', '--image-size', 8, '-b', 4, '--repetitions', 1, '--warm-up', 0]
    value = json.loads(cbam('bench', 'loader', *flags, '--json').stdout)
    assert set(value) >= CONTRACT
    assert [value['network'], value['engine'], value['compared'][0]['engine']] == [None, 'gluon_cbam', 'cv2.imdecode']
    assert 'mxnet' not in value['compared'][0]['versions']


@pytest.mark.parametrize('mode', ['predict', 'train'])
def test_images_that_are_not_square(mode, cbam):
    flags = ['--image-size', '8,16', '--classes', 3, '-b', 2, '--repetitions', 1, '--warm-up', 1]
    finished = cbam('bench', mode, '--network', 'cbamnet_tiny', *flags, '--json')
    assert finished.returncode == 0, finished.stderr
    assert json.loads(finished.stdout)['image_size'] == [8, 16]
    assert '8 x 16 (height x width)' in cbam('bench', mode, '--network', 'cbamnet_tiny', *flags).stdout


def test_text(no_processes, cbam_here):
    finished = cbam_here('bench', 'train', '--network', 'cbam_resnet50', '--against', 'resnet50', '--threads', 3)
    lines = finished.stdout.splitlines()
    assert lines[0].startswith('train: training steps on images in memory')
    assert lines[1].startswith('batch 8, 224 x 224, fake, 3 threads, ')
    assert lines[2].split() == ['ms:', 'min', 'p5', 'median', 'p95', 'images/s', 'peak', 'MB', 'ratio']
    assert lines[3].split() == ['gluon_cbam', 'cbam_resnet50', *['1000.0'] * 4, '8.0', '300.0', '1.00']
    assert lines[4].split()[-1] == '2.00'
    assert lines[5] == '0.50 of the time of gluon_cbam resnet50'
    assert lines[6] == 'gluon_cbam cbam_resnet50: mxnet 1.9.1'
    assert [context.threads for context in no_processes] == [3, 3]


def test_comparisons_have_the_same_settings(no_processes, cbam_here, monkeypatch):
    monkeypatch.setattr('importlib.util.find_spec', lambda name: name)
    cbam_here(
        'bench', 'predict', '--network', 'cbam_resnet18', '--compare', 'gluoncv2,torch,torch_compile', '-b', 3,
        '--image-size', 64,
    )  # fmt: skip
    ours, *others = no_processes
    assert [context.engine for context in others] == ['gluoncv2', 'torch', 'torch channels_last', 'torch compiled']
    assert {context.replace(engine='') for context in map(hashable, others)} == {hashable(ours).replace(engine='')}


def test_detectors_have_their_own_classes_and_other_engines(no_processes, cbam_here, monkeypatch):
    monkeypatch.setattr('importlib.util.find_spec', lambda name: name)
    cbam_here('bench', 'predict', '--network', 'ssd_512', '--option', 'backbone=cbam_resnet18', '--compare', 'gluoncv')
    assert [context.engine for context in no_processes] == ['gluon_cbam', 'gluoncv', 'gluoncv fused']
    assert {(context.classes, context.image_size) for context in no_processes} == {(20, 512)}
    assert [context.options for context in no_processes] == [{'backbone': 'cbam_resnet18'}] * 3


def test_exported_networks_are_compared_with_their_options(no_processes, cbam_here, monkeypatch):
    monkeypatch.setattr('importlib.util.find_spec', lambda name: name)
    flags = ['--network', 'se_resnet18', '--option', 'reduction=8']
    cbam_here('bench', 'predict', *flags, '--compare', 'onnxruntime,openvino')
    engines = ['gluon_cbam', 'onnxruntime', 'openvino', 'openvino throughput']
    assert [context.engine for context in no_processes] == engines
    assert [context.options for context in no_processes] == [{'reduction': 8}] * 4


def test_every_package_of_an_engine_is_needed(no_processes, cbam_here, monkeypatch):
    monkeypatch.setattr('importlib.util.find_spec', lambda name: name if name != 'onnx' else None)
    finished = cbam_here('bench', 'predict', '--network', 'resnet18', '--compare', 'openvino')
    remedy = "cbam: --compare openvino: onnx not installed: pip install 'gluon_cbam[onnx,openvino]'"
    assert assert_one_line(finished, 3) == remedy
    assert no_processes == []


def hashable(context):
    return context.replace(options=(), environment=())


def test_an_engine_that_is_named_must_be_installed(no_processes, cbam_here, monkeypatch):
    monkeypatch.setattr('importlib.util.find_spec', lambda name: name if name != 'torch' else None)
    for names in ('torch', 'gluoncv2,torch_compile', 'installed,torch'):
        finished = cbam_here('bench', 'predict', '--network', 'resnet18', '--compare', names)
        assert 'torch not installed: pip install torch' in assert_one_line(finished, 3)
    assert no_processes == []


def test_the_engines_that_are_installed(no_processes, cbam_here, monkeypatch):
    monkeypatch.setattr('importlib.util.find_spec', lambda name: name if name in ('onnx', 'onnxruntime') else None)
    finished = cbam_here('bench', 'predict', '--network', 'resnet18', '--compare', 'installed', '--json')
    left_out = json.loads(finished.stdout)['left_out']
    assert [context.engine for context in no_processes] == ['gluon_cbam', 'onnxruntime']
    assert set(left_out) == {'gluoncv2', 'gluoncv', 'torch', 'torch_compile', 'openvino'}
    assert left_out['torch'] == 'torch not installed: pip install torch'
    assert set(said(finished)) == {f'cbam: {name} is left out: {why}' for name, why in left_out.items()}
    finished = cbam_here('bench', 'train', '--network', 'resnet18', '--compare', 'installed', '--json')
    assert json.loads(finished.stdout)['left_out']['onnxruntime'] == 'cannot be compared at train'


def test_an_engine_that_cannot_run_the_network_is_said(no_processes, cbam_here, monkeypatch):
    monkeypatch.setattr('importlib.util.find_spec', lambda name: name)
    flags = ['bench', 'predict', '--network', 'cbamnet_tiny', '--compare']
    no_processes.errors['gluoncv2'] = UsageError('gluoncv2 cbamnet_tiny: it has no such network')
    finished = cbam_here(*flags, 'gluoncv2,onnxruntime')
    assert 'gluoncv2: left out (it has no such network)' in finished.stdout.splitlines()
    assert said(finished) == ['cbam: gluoncv2 is left out: it has no such network']
    assert [context.engine for context in no_processes] == ['gluon_cbam', 'onnxruntime']
    assert 'it has no such network' in assert_one_line(cbam_here(*flags, 'gluoncv2'), 2)


@pytest.mark.parametrize('names', ['onnxruntime', 'onnxruntime,gluoncv2', 'installed'])
def test_an_engine_with_wrong_outputs_is_an_error(names, no_processes, cbam_here, monkeypatch):
    monkeypatch.setattr('importlib.util.find_spec', lambda name: name)
    no_processes.errors['onnxruntime'] = RunError('onnxruntime resnet18: its outputs differ by 0.1 from ours')
    finished = cbam_here('bench', 'predict', '--network', 'resnet18', '--compare', names)
    assert 'onnxruntime resnet18: its outputs differ by 0.1' in assert_one_line(finished, 1)
    assert finished.stdout == ''


def test_a_package_that_cannot_be_imported(no_processes, cbam_here, monkeypatch):
    monkeypatch.setattr('importlib.util.find_spec', lambda name: name)
    no_processes.errors['openvino'] = DependencyError('openvino resnet18: openvino cannot be imported')
    flags = ['bench', 'predict', '--network', 'resnet18', '--compare']
    assert 'cannot be imported' in assert_one_line(cbam_here(*flags, 'torch,openvino'), 3)
    left_out = json.loads(cbam_here(*flags, 'installed', '--json').stdout)['left_out']
    assert left_out == {'openvino': 'openvino cannot be imported'}


def test_an_error_of_our_process_is_ours(no_processes, cbam_here, monkeypatch):
    monkeypatch.setattr('importlib.util.find_spec', lambda name: name)
    no_processes.errors['gluon_cbam'] = UsageError('gluon_cbam resnet18: no such option')
    finished = cbam_here('bench', 'predict', '--network', 'resnet18', '--compare', 'installed')
    assert 'no such option' in assert_one_line(finished, 2)


def test_what_an_engine_was_measured_with(no_processes, cbam_here, monkeypatch):
    monkeypatch.setattr('importlib.util.find_spec', lambda name: name)
    difference = {'largest': 2e-6, 'scale': 5.0, 'relative': 4e-7}
    hint = {'INFERENCE_PRECISION_HINT': 'f32'}
    no_processes.facts['openvino'] = {'settings': hint, 'difference': difference, 'versions': {'openvino': '1.2'}}
    no_processes.facts['gluon_cbam'] = {'instructions': 'avx2', 'difference': None}
    flags = ['bench', 'predict', '--network', 'resnet18', '--compare', 'openvino']
    lines = cbam_here(*flags).stdout.splitlines()
    about = 'openvino 1.2, INFERENCE_PRECISION_HINT f32, largest difference of an output 2.0e-06 of 5.0e+00'
    assert f'openvino resnet18: {about}' in lines
    about = 'mxnet 1.9.1, operators for avx2, outputs not compared: the weights have no names there'
    assert f'gluon_cbam resnet18: {about}' in lines
    no_processes.clear()
    value = json.loads(cbam_here(*flags, '--json').stdout)
    (other, *_), keys = value['compared'], ('settings', 'difference', 'versions', 'instructions')
    assert [other[key] for key in keys] == [hint, difference, {'openvino': '1.2'}, None]
    assert (value['instructions'], value['difference']) == ('avx2', None)


def test_exported_networks_are_compared_with_ours(cbam):
    pytest.importorskip('onnx')
    onnxruntime = pytest.importorskip('onnxruntime')
    flags = ['--image-size', 8, '--classes', 10, '-b', 2, '--repetitions', 1, '--warm-up', 0]
    finished = cbam(
        'bench', 'predict', '--network', 'cbamnet_tiny', '--compare', 'onnxruntime,gluoncv2', *flags, '--json'
    )
    assert finished.returncode == 0, finished.stderr
    value = json.loads(finished.stdout)
    (other,) = value['compared']
    assert value['difference']['largest'] == 0
    assert 0 < other['difference']['largest'] < 1e-5 * other['difference']['scale']
    assert other['versions']['onnxruntime'] == onnxruntime.__version__
    assert value['left_out']['gluoncv2'].startswith('gluoncv2 has no network like cbamnet_tiny')


@pytest.mark.parametrize(
    ('arguments', 'part'),
    [
        (['walk'], "'walk' is not one of"),
        (['predict'], '--network is needed'),
        (['predict', '--network', 'resnet5'], 'did you mean resnet50'),
        (
            ['predict', '--network', 'resnet18', '--compare', 'torhc'],
            'did you mean torch? known: gluoncv2, gluoncv, torch, torch_compile, onnxruntime, openvino, installed',
        ),
        (
            ['predict', '--network', 'resnet18', '--compare', 'x'],
            "unknown engine 'x' of --compare: known: gluonc",
        ),
        (['validate', '--network', 'resnet18', '--data', 'x', '--compare', 'torch'], 'torch cannot be compared at val'),
        (['train', '--network', 'resnet18', '--compare', 'openvino'], 'openvino cannot be compared at train'),
        (['predict', '--network', 'resnet18', '--with-decode', '--compare', 'gluoncv2'], 'predict --with-decode'),
        (['train', '--network', 'resnet18', '--with-decode'], '--with-decode is for predict, got train'),
        (['train', '--network', 'resnet18', '--data', 'x.rec'], '--data is for validate and loader, got train'),
        (['loader', '--data', 'x', '--against', 'resnet18'], 'compared with bare decoding'),
        (['predict', '--network', 'se_resnet18', '--compare', 'gluoncv2', '--option', 'reduction=8'], 'no options'),
        (['predict', '--network', 'resnet18', '--compare', 'torch', '--option', 'in_channels=1'], 'torch has no optio'),
        *(
            ([*mode, '--network', 'resnet18', '--option', 'in_channels=2'], '=2: images have 1 or 3 channels; predict')
            for mode in (['train'], ['validate'], ['loader'], ['predict', '--with-decode'])
        ),
    ],
)
def test_errors_are_one_line(arguments, part, cbam_here, no_processes):
    assert part in assert_one_line(cbam_here('bench', *arguments), 2)
    assert no_processes == []


def test_an_error_of_the_benchmark_process(cbam, tmp_path):
    finished = cbam('bench', 'validate', '--network', 'resnet18', '--data', tmp_path / 'none.rec', '--image-size', 8)
    assert 'gluon_cbam resnet18: no record file' in assert_one_line(finished, 2)


def test_the_measuring_process_imports_nothing_heavy(python):
    """Only the benchmark processes import mxnet and numpy, so that the measuring process does not disturb them."""
    code = """
import sys
from click.testing import CliRunner
from gluon_cbam.cli.main import cli
from gluon_cbam.benchmarks import process, report
CliRunner().invoke(cli, ['bench', '--help'])
CliRunner().invoke(cli, ['bench', 'predict'])
print(sorted({'mxnet', 'numpy', 'cv2', 'torch'} & set(sys.modules)))
"""
    assert python(code).stdout.strip() == '[]'
