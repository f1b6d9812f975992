"""Exported files on the execution providers of ONNX Runtime: choice, options, copies, errors, and the comparison.

``cpu`` is run, and so is ``openvino`` where its build is installed; the others are a stand-in, as strict as they.
"""

import os
import platform
import sys
import threading

import numpy as np
import pytest
from fake_onnxruntime import FakeRuntime

from gluon_cbam.common.errors import DataError, DependencyError, EnvironmentProblem, RunError, UsageError
from gluon_cbam.export.agreement import compare
from gluon_cbam.export.runtime import devices, load_exported, onnxruntime_engine
from gluon_cbam.export.runtime.providers import PROVIDERS
from gluon_cbam.export.runtime.session import exported_session

CUDA, TENSORRT = 'CUDAExecutionProvider', 'TensorrtExecutionProvider'
CUDA_OPTIONS = {'device_id': '0', 'use_tf32': '0', 'cudnn_conv_algo_search': 'HEURISTIC'}


@pytest.fixture
def fake(monkeypatch):
    """Puts another build of ONNX Runtime in the place of the real one: fake('CUDAExecutionProvider') -> the module."""
    real = pytest.importorskip('onnxruntime')

    def install(*providers, packages=('onnxruntime-gpu',), system='Linux', found=0, **how):
        made = FakeRuntime(real, *providers, **how)
        monkeypatch.setitem(sys.modules, 'onnxruntime', made)
        monkeypatch.setattr(onnxruntime_engine, 'onnxruntime_packages', lambda: dict.fromkeys(packages, '1.31.1'))
        monkeypatch.setattr(devices.cuda, 'compute_capabilities', lambda: [(9, 0)] * found)
        monkeypatch.setattr(platform, 'system', lambda: system)
        return made

    return install


@pytest.fixture
def path(exported_digits):
    return exported_digits / 'digits.onnx'


@pytest.fixture
def batch(path, pictures):
    network = load_exported(path, threads=1)
    return np.stack([network.prepare(picture) for picture in pictures])


# name -> system, arguments of load_exported, what ONNX Runtime is asked for, where batches go
CHOICES = {
    'cuda': ('Linux', {'device': 1}, [(CUDA, {**CUDA_OPTIONS, 'device_id': '1'})], 'copy to cuda:1'),
    'cuda, tf32': ('Linux', {'precision': 'tf32'}, [(CUDA, {**CUDA_OPTIONS, 'use_tf32': '1'})], 'copy to cuda:0'),
    'rocm': (
        'Linux', {'precision': 'float16'},
        [('MIGraphXExecutionProvider', {'device_id': '0', 'migraphx_fp16_enable': '1'})], None,
    ),
    'openvino': (
        'Linux', {},
        [('OpenVINOExecutionProvider', {'device_type': 'CPU', 'precision': 'FP32', 'num_of_threads': '1'})], None,
    ),
    'openvino, number': (
        'Linux', {'device': '1', 'precision': 'float16'},
        [('OpenVINOExecutionProvider', {'device_type': 'GPU.1', 'precision': 'FP16'})], None,
    ),
    'coreml': (
        'Darwin', {},
        [(
            'CoreMLExecutionProvider',
            {'ModelFormat': 'MLProgram', 'MLComputeUnits': 'ALL', 'RequireStaticInputShapes': '0'},
        )], None,
    ),
    'directml': ('Windows', {'device': '1'}, [('DmlExecutionProvider', {'device_id': '1'})], 'copy to dml:1'),
}  # fmt: skip


@pytest.mark.parametrize('what', CHOICES)
def test_a_provider_gets_its_options_and_the_batch(fake, path, batch, digits_network, what):
    system, arguments, wanted, copied = CHOICES[what]
    expected = load_exported(path, threads=1)(batch)
    runtime = fake(*(name for name, _ in wanted), system=system)
    network = load_exported(path, threads=1, provider=what.partition(',')[0], **arguments)
    np.testing.assert_array_equal(network(batch), expected)
    assert runtime.sessions[-1].asked == [*wanted, 'CPUExecutionProvider']
    assert [event for event in runtime.events if event != 'preload'] == ([copied, 'back'] if copied else [])
    assert ('preload' in runtime.events) == what.startswith('cuda')
    assert network.engine == 'onnxruntime'


def test_tensorrt_keeps_its_engines_and_computes_without_tf32(fake, path, batch, tmp_path, monkeypatch):
    monkeypatch.setenv('CBAM_HOME', str(tmp_path))
    monkeypatch.delenv('NVIDIA_TF32_OVERRIDE', raising=False)
    runtime = fake(TENSORRT, CUDA)
    load_exported(path, provider='tensorrt', precision='float16')(batch)
    (name, options), cuda, _ = runtime.sessions[-1].asked
    assert (name, cuda) == (TENSORRT, (CUDA, CUDA_OPTIONS))
    assert options['trt_fp16_enable'] == '1'
    assert options['trt_engine_cache_path'] == str(tmp_path / 'tensorrt' / 'float16')
    assert (tmp_path / 'tensorrt' / 'float16').is_dir()
    assert 'NVIDIA_TF32_OVERRIDE' not in os.environ
    load_exported(path, provider='tensorrt')
    assert runtime.sessions[-1].asked[0][1]['trt_fp16_enable'] == '0'
    assert os.environ['NVIDIA_TF32_OVERRIDE'] == '0'


def test_a_batch_is_copied_while_the_one_before_is_computed(fake, path, batch):
    runtime = fake(CUDA)
    session = exported_session(load_exported(path, provider='cuda'))
    second, made = threading.Event(), runtime.sessions[-1]
    copy, compute = runtime.OrtValue.ortvalue_from_numpy, made.run_with_iobinding
    copies = []

    def copied(*arguments):
        copies.append(arguments)
        if len(copies) == 2:
            second.set()
        return copy(*arguments)

    def waits(binding):
        assert second.wait(60), 'the second batch is not copied before the first is computed'
        compute(binding)

    runtime.OrtValue.ortvalue_from_numpy, made.run_with_iobinding = copied, waits
    results = [session.start(batch), session.start(batch[:1])]
    assert [len(result()[0]) for result in results] == [3, 1]


# what -> build, arguments, exit code, what the message holds
REFUSED = {
    'unknown': ((), {'provider': 'cud'}, 2, "unknown provider 'cud': did you mean cuda"),
    'a device of the CPU': ((), {'device': 0}, 2, 'cpu has no devices'),
    'no number': ((CUDA,), {'provider': 'cuda', 'device': 'GPU.0'}, 2, 'are numbers from 0'),
    'no name': ((), {'provider': 'openvino', 'device': 'TPU'}, 2, 'CPU, GPU, GPU.0'),
    'precision': ((CUDA,), {'provider': 'cuda', 'precision': 'float16'}, 2, 'computes in float32 or tf32'),
    'precision of a device': ((), {'provider': 'openvino', 'precision': 'float16'}, 2, 'CPU of provider openvino'),
    'system': ((), {'provider': 'coreml'}, 3, 'exists on macOS only, this is Linux'),
    'engine': ((), {'provider': 'cuda', 'engine': 'openvino'}, 2, 'providers are for the engine onnxruntime'),
    'absent': ((), {'provider': 'cuda'}, 3, "pip uninstall onnxruntime-gpu, then pip install 'onnxruntime-gpu["),
    'tensorrt': ((CUDA,), {'provider': 'tensorrt'}, 3, "'onnxruntime-gpu[cuda,cudnn]' 'tensorrt'"),
}


@pytest.mark.parametrize('what', REFUSED)
def test_what_a_provider_does_not_take_is_refused(fake, path, what):
    build, arguments, code, message = REFUSED[what]
    fake(*build)
    with pytest.raises((UsageError, EnvironmentProblem)) as raised:
        load_exported(path, **arguments)
    assert raised.value.exit_code == code
    assert message in str(raised.value)
    assert '\n' not in str(raised.value)


def test_a_symbol_has_no_providers(exported_digits):
    for arguments, message in (
        ({'provider': 'cuda'}, "leave provider 'cuda' out, or export the network to ONNX"),
        ({'device': 0}, "leave device '0' out"),
        ({'verify': True}, 'there is nothing to verify'),
    ):
        with pytest.raises(UsageError, match=message):
            load_exported(exported_digits / 'digits-symbol.json', **arguments)


def test_two_builds_over_each_other_are_the_problem(fake, path):
    fake(packages=('onnxruntime', 'onnxruntime-gpu'))
    message = (
        'onnxruntime 1.31.1 and onnxruntime-gpu 1.31.1 are installed over each other.*pip uninstall onnxruntime onnx'
    )
    with pytest.raises(DependencyError, match=message):
        load_exported(path, provider='cuda')


def test_without_any_onnxruntime(path, monkeypatch):
    monkeypatch.setattr(onnxruntime_engine, 'is_installed', lambda package: False)
    with pytest.raises(DependencyError, match="for provider rocm, pip install 'onnxruntime-migraphx'"):
        load_exported(path, provider='rocm')


def test_the_cpu_never_takes_over(fake, path, capfd):
    """ONNX Runtime itself warns, and computes on the CPU."""
    reason = 'libcudnn.so.9: cannot open shared object file'
    fake(CUDA, broken=reason)
    with pytest.raises(DependencyError, match=f'cuda:0 cannot be used .no GPU was found.: .*{reason}'):
        load_exported(path, provider='cuda')
    fake('OpenVINOExecutionProvider', broken='Device GPU.0 is not available')
    with pytest.raises(DependencyError, match='openvino:GPU.0 cannot be used: Failed to .*: Device GPU.0 is not avail'):
        load_exported(path, provider='openvino', device='GPU.0')
    fake(CUDA, idle=True)
    with pytest.raises(EnvironmentProblem, match='cuda:0 takes no operator of .*the CPU would compute all'):
        load_exported(path, provider='cuda')
    assert capfd.readouterr() == ('', '')


def test_a_gpu_that_is_not_there(fake, path):
    fake(CUDA, gpus=2)
    with pytest.raises(EnvironmentProblem, match=r'Invalid device ID: 2, must be between 0 .inclusive. and 2'):
        load_exported(path, provider='cuda', device=2)
    fake(CUDA, found=1)  # the driver reports it
    with pytest.raises(EnvironmentProblem, match=r'no device 3: there is 0 \(compute capability 9.0\)'):
        load_exported(path, provider='cuda', device=3)


def test_a_damaged_file_is_no_fault_of_the_provider(fake, path, tmp_path):
    fake(CUDA)
    onnx = pytest.importorskip('onnx')
    model = onnx.load_from_string(path.read_bytes().replace(b'Sigmoid', b'Sigmoyd'))
    del model.metadata_props[-1]  # the hash, by which the file would be refused before
    (tmp_path / 'x.onnx').write_bytes(model.SerializeToString())
    with pytest.raises(DataError, match='ONNX Runtime cannot load it'):
        load_exported(tmp_path / 'x.onnx', provider='cuda')


def test_a_run_that_fails(fake, path, batch):
    fake(CUDA, fails='Failed to allocate memory for requested buffer of size 4294967296')
    with pytest.raises(RunError, match='cuda:0 failed: .*Failed to allocate memory.*a smaller batch') as raised:
        load_exported(path, provider='cuda')(batch)
    assert '\n' not in str(raised.value)


# what -> added to the outputs, whose largest is about 20; arguments; which comparison fails
DIFFERENCES = {
    'exact': (0.0, {}, None),
    'rounding': (1e-5, {}, None),
    'tf32 by mistake': (2e-2, {}, 'random images'),
    'tf32': (2e-2, {'precision': 'tf32'}, None),
    'wrong in tf32': (1.0, {'precision': 'tf32'}, 'random images'),
    'wrong afterwards': (lambda run: 2e-2 * (run == 1), {}, 'first batch'),
    'not finite': (float('nan'), {}, 'random images'),
}


@pytest.mark.parametrize('what', DIFFERENCES)
def test_verification(fake, path, batch, what):
    error, arguments, fails = DIFFERENCES[what]
    fake(CUDA, error=error)
    if fails:
        with pytest.raises(DataError, match=f'onnxruntime cuda:0 disagrees with the CPU on the {fails}: difference'):
            load_exported(path, provider='cuda', verify=True, **arguments)(batch)
        return
    network = load_exported(path, provider='cuda', verify=True, **arguments)
    assert list(network.verification.as_dict()) == ['precision', 'tolerance', 'random_images']
    network(batch)
    network(batch[:2])
    found = network.verification.as_dict()
    assert found['first_batch']['images'] == found['first_batch']['same_top1'] == 3
    assert found['first_batch']['largest'] == pytest.approx(error, abs=2e-6)
    assert 'top-1 the same for 3 of 3' in network.verification.text()


def test_classes_are_compared_unless_they_are_nearly_equal():
    expected = np.float32([[4, 0, 3.99], [4, 0, 1]])
    same = compare([expected + np.float32([0, 0, 0.02])], [expected], 1e-2)
    assert (same.same_top1, same.near_ties) == (1, 1)
    other = compare([np.float32([[4, 0, 3], [3, 0, 4]])], [expected], 1e-2)
    assert (other.same_top1, other.near_ties) == (1, 0)
    for found in ([expected[:, :2]], [], [expected * np.float32('nan')]):
        assert compare([expected, *found], [expected, expected], 1e-2).largest == float('inf')
    assert compare([expected, expected], [expected, expected * np.float32('nan')], 1e-2).largest == float('inf')


def test_every_provider_takes_float32_first():
    for name, row in PROVIDERS.items():
        assert row.precisions[0] == row.files[0] == 'float32', name


def test_openvino_of_onnxruntime(path, python):
    """In a process without MXNet: with it, and the compiled operators, OpenVINO's libraries of this build abort."""
    runtime = pytest.importorskip('onnxruntime')
    if 'OpenVINOExecutionProvider' not in runtime.get_available_providers():
        pytest.skip('this build of onnxruntime has no OpenVINO')
    code = f"""
import numpy
from gluon_cbam.common.errors import DependencyError
from gluon_cbam.export.runtime import load_exported
network = load_exported({str(path)!r}, threads=1, provider='openvino', verify=True)
network(numpy.random.RandomState(0).randn(3, 3, 16, 16).astype('float32'))
print(0 < network.verification.agreements['first_batch'].relative < 1e-5)  # it was not the provider of the CPU
try:
    load_exported({str(path)!r}, provider='openvino', device='GPU.7')
except DependencyError as error:
    print(error)
"""
    done = python(code, *sys.path)
    answers = done.stdout.splitlines()
    assert answers[0] == 'True', done.stderr
    assert 'Device GPU.7 is not available' in answers[1]
    assert done.stderr == ''


def test_devices_of_openvino(path, batch):
    openvino = pytest.importorskip('openvino')
    network = load_exported(path, 'openvino', 1, device='CPU', verify=True)
    network(batch)
    assert network.verification.agreements['first_batch'].largest < 1e-4
    with pytest.raises(EnvironmentProblem, match='OpenVINO finds no device GPU.7, only CPU'):
        load_exported(path, 'openvino', device='7')
    if 'FP16' not in openvino.Core().get_property('CPU', 'OPTIMIZATION_CAPABILITIES'):
        with pytest.raises(UsageError, match='CPU computes in f32, not in float16'):
            load_exported(path, 'openvino', precision='float16')
