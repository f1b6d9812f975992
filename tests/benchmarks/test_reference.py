"""The same weights in every engine, and the comparison of its outputs with ours before it is measured."""

from pathlib import Path

import mxnet as mx
import numpy as np
import pytest

import gluon_cbam
from gluon_cbam.benchmarks import onnx_workloads, reference
from gluon_cbam.benchmarks.comparison import same_weights
from gluon_cbam.benchmarks.context import BenchmarkContext
from gluon_cbam.benchmarks.engines import build
from gluon_cbam.benchmarks.process import BenchmarkProcess, measure
from gluon_cbam.benchmarks.reference import check_outputs
from gluon_cbam.benchmarks.workload import Workload
from gluon_cbam.common.errors import RunError, UsageError
from gluon_cbam.common.packages import is_installed

TINY = BenchmarkContext('predict', network='cbamnet_tiny', batch=3, image_size=8, classes=10)
RESNET = TINY.replace(network='cbam_resnet18', image_size=32)
FACES = RESNET.replace(network='modified_cbamnet18')
DETECTOR = TINY.replace(network='ssd_300', image_size=64, options={'backbone': 'cbam_resnet18'})
PACKAGES = {'onnxruntime': 'onnxruntime', 'openvino': 'openvino', 'openvino throughput': 'openvino'}


needs_torch = pytest.mark.skipif(not is_installed('torch'), reason='no torch')


def of(context, engine):
    return context.replace(engine=engine)


@pytest.fixture(scope='module')
def weights():
    """Context -> the context with a reference."""
    made = {}

    def with_reference(context):
        key = context.network
        if key not in made:
            made[key] = same_weights([context, of(context, 'onnxruntime')])
            made[key] = (made[key], made[key].__enter__()[0])
        return context.replace(reference=made[key][1].reference)

    yield with_reference
    for context, _ in made.values():
        context.__exit__(None, None, None)


def difference(context):
    with build(context) as (workload, _):
        return check_outputs(context, workload)


def difference_in_process(context):
    """The same in a process without mxnet: some builds of torch crash beside it."""
    with BenchmarkProcess(context) as process:
        return process.facts['difference']


def test_our_outputs_are_those_of_the_network_with_these_weights(weights):
    context = weights(TINY)
    net = gluon_cbam.get_model('cbamnet_tiny', classes=10)
    net.initialize()
    with np.load(Path(context.reference) / 'ours.npz') as arrays:
        for name, parameter in net._collect_params_with_prefix().items():
            parameter.set_data(mx.nd.array(arrays[name]))
            if 'gamma' in name or 'running_var' in name:
                assert np.abs(arrays[name] - 1).min() > 0, 'nothing is as it begins'
    expected = net(mx.nd.array(reference.noise(context))).asnumpy()
    found = np.load(Path(context.reference) / 'outputs.npy')
    assert np.abs(found - expected).max() < 1e-5 * np.abs(expected).max()
    assert difference(context)['largest'] < 1e-6


@pytest.mark.parametrize('engine', PACKAGES)
def test_engines_of_exported_files_get_our_weights(engine, weights):
    pytest.importorskip('onnx')
    pytest.importorskip(PACKAGES[engine])
    found = difference(of(weights(TINY), engine))
    assert 0 < found['relative'] < 1e-5
    assert found['largest'] == pytest.approx(found['relative'] * found['scale'])


@pytest.mark.parametrize('context', [RESNET, FACES], ids=lambda context: context.network)
@pytest.mark.parametrize('engine', ['torch', 'torch channels_last'])
@needs_torch
def test_networks_of_torch_get_our_weights(context, engine, weights):
    assert 0 < difference_in_process(of(weights(context), engine))['relative'] < 1e-4


@pytest.mark.slow
@needs_torch
def test_compiled_networks_get_our_weights(weights):
    assert 0 < difference_in_process(of(weights(RESNET), 'torch compiled'))['relative'] < 1e-4


@pytest.mark.slow
def test_networks_of_gluoncv2_get_our_weights():
    large = RESNET.replace(batch=1, image_size=224)
    with same_weights([large, of(large, 'gluoncv2')]) as (_, theirs):
        assert 0 < difference(theirs)['relative'] < 1e-4


@pytest.mark.parametrize('engine', ['onnxruntime', 'gluon_cbam'])
def test_wrong_outputs_are_an_error(engine, weights, monkeypatch):
    """One weight of thousands is wrong in the engine."""
    pytest.importorskip(engine)
    context, real = of(weights(TINY), engine), reference.weights

    def wrong(context, source='ours'):
        arrays = real(context, source)
        return {**arrays, 'fc.bias': arrays['fc.bias'] + np.eye(1, 10, 4, np.float32)[0] * 0.01}

    monkeypatch.setattr(reference, 'weights', wrong)
    if engine == 'onnxruntime':  # the process that exports takes no patches
        monkeypatch.setattr(onnx_workloads, 'written_by', in_this_process)
    with pytest.raises(RunError, match=r'its outputs differ by 0\.01 from ours, the largest of which is'):
        difference(context)


class in_this_process:
    def __init__(self, write, context):
        self.write, self.context = write, context

    def __enter__(self):
        self.path = str(Path(self.context.reference) / 'wrong.onnx')
        self.write(self.context, self.path)
        return self.path

    def __exit__(self, *error):
        pass


def test_gpus_may_round_to_tf32(tmp_path):
    outputs = np.linspace(-1, 1, 30, dtype=np.float32).reshape(3, 10)
    reference.save(str(tmp_path), outputs, {})
    context = TINY.replace(reference=str(tmp_path))
    for factor, device, tolerance, accepted in (
        (1.00005, None, None, True), (1.001, None, None, False), (1.001, '0', None, True), (1.01, '0', None, False),
        (1.01, None, 0.2, True), (1.3, None, 0.2, False),
    ):  # fmt: skip
        workload = Workload(3, None, None, 'fake', {}, lambda: outputs * np.float32(factor), tolerance)  # noqa: B023
        if accepted:
            found = check_outputs(context.replace(gpus=device), workload)
            assert found['relative'] == pytest.approx(factor - 1, rel=0.01)
        else:
            with pytest.raises(RunError, match='outputs differ'):
                check_outputs(context.replace(gpus=device), workload)


def test_a_process_with_wrong_outputs_is_not_measured(weights, tmp_path):
    folder = Path(weights(TINY).reference)
    for file in folder.glob('*.np*'):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    outputs = np.load(tmp_path / 'outputs.npy')
    np.save(tmp_path / 'outputs.npy', outputs + 0.01 * np.abs(outputs).max())
    with pytest.raises(RunError, match='^ours: its outputs differ by'):
        measure([TINY.replace(reference=str(tmp_path), label='ours')], 1, 0)
    with pytest.raises(RunError, match='differ by inf'):
        np.save(tmp_path / 'outputs.npy', np.full_like(outputs, np.nan))
        difference(TINY.replace(reference=str(tmp_path)))


def test_bfloat16_is_not_taken_for_float32(weights, monkeypatch):
    """OpenVINO chooses it by itself where the processor has AMX."""
    pytest.importorskip('onnx')
    openvino = pytest.importorskip('openvino')
    if 'BF16' not in openvino.Core().get_property('CPU', 'OPTIMIZATION_CAPABILITIES'):
        pytest.skip('the processor has no bfloat16')
    real = openvino.Core.compile_model

    def compile_model(core, model, device, settings):
        settings = {name: value for name, value in settings.items() if name != 'INFERENCE_PRECISION_HINT'}
        return real(core, model, device, settings)

    monkeypatch.setattr(openvino.Core, 'compile_model', compile_model)
    with pytest.raises(RunError, match='its outputs differ by'):
        difference(of(weights(RESNET), 'openvino'))


@pytest.mark.parametrize('engine', ['openvino', 'openvino throughput'])
def test_openvino_says_its_precision(engine):
    pytest.importorskip('onnx')
    pytest.importorskip('openvino')
    with build(of(TINY, engine)) as (workload, _):
        settings = workload.details['settings']
    assert settings['INFERENCE_PRECISION_HINT'] == 'f32'
    assert settings['PERFORMANCE_HINT'] == ('THROUGHPUT' if 'throughput' in engine else 'LATENCY')


def test_what_gets_a_reference():
    others = [of(TINY, 'onnxruntime'), TINY.replace(network='cbamnet_small'), TINY.replace(mode='train')]
    with same_weights([TINY, *others]) as contexts:
        folder = contexts[0].reference
        assert [context.reference for context in contexts] == [folder, folder, None, None]
        assert [context.replace(reference=None) for context in contexts] == [TINY, *others]
        assert sorted(path.name for path in Path(folder).iterdir()) == ['ours.npz', 'outputs.npy']
    assert not Path(folder).exists()


def test_nothing_is_written_where_nothing_is_compared(monkeypatch):
    with same_weights([DETECTOR, of(DETECTOR, 'onnxruntime')]) as contexts:
        assert [context.reference for context in contexts] == [None, None], 'detections'
    monkeypatch.setattr('gluon_cbam.benchmarks.comparison.BenchmarkProcess', None)
    alone = [TINY, TINY.replace(network='cbamnet_small')]
    loading = [TINY.replace(mode='loader'), TINY.replace(mode='loader', engine='cv2.imdecode')]
    for contexts in (alone, loading):
        with same_weights(contexts) as found:
            assert found == contexts


def test_weights_without_names_are_said():
    """gluoncv2 has no names for the options of ours, and runs with weights of its own."""
    context = TINY.replace(network='bam_resnet18', image_size=224, batch=1)
    with BenchmarkProcess(of(context, 'gluoncv2')) as process:
        assert 'difference' not in process.facts
    with same_weights([context, of(context, 'gluoncv2')]) as (_, theirs), BenchmarkProcess(theirs) as process:
        assert process.facts['difference'] is None


def test_sizes_that_gluoncv2_does_not_take():
    message = "gluoncv2's cbam_resnet18 pools over 7 x 7 positions, as of 224 x 224 pixels, got 32 x 32"
    with pytest.raises(UsageError, match=message), build(of(RESNET, 'gluoncv2')):
        pass
