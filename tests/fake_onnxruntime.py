"""A stand-in for ``onnxruntime`` on a machine with accelerators, which records, and is as strict as the real one.

Outputs are those of the real ONNX Runtime on the CPU, plus ``error``.
"""

import os
import warnings
from types import ModuleType, SimpleNamespace

import numpy as np

# names of options in ONNX Runtime's sources; others are refused there
OPTIONS = {
    'CPUExecutionProvider': set(),
    'CUDAExecutionProvider': {'device_id', 'use_tf32', 'cudnn_conv_algo_search', 'gpu_mem_limit', 'enable_cuda_graph'},
    'TensorrtExecutionProvider': {
        'device_id', 'trt_fp16_enable', 'trt_int8_enable', 'trt_engine_cache_enable', 'trt_engine_cache_path',
        'trt_timing_cache_enable', 'trt_max_workspace_size',
    },
    'MIGraphXExecutionProvider': {'device_id', 'migraphx_fp16_enable', 'migraphx_int8_enable'},
    'OpenVINOExecutionProvider': {'device_type', 'precision', 'num_of_threads', 'num_streams', 'cache_dir'},
    'CoreMLExecutionProvider': {'ModelFormat', 'MLComputeUnits', 'RequireStaticInputShapes', 'EnableOnSubgraphs'},
    'DmlExecutionProvider': {'device_id', 'performance_preference', 'device_filter', 'disable_metacommands'},
}  # fmt: skip
VALUES = {
    'cudnn_conv_algo_search': {'EXHAUSTIVE', 'HEURISTIC', 'DEFAULT'},
    'ModelFormat': {'MLProgram', 'NeuralNetwork'},
    'MLComputeUnits': {'ALL', 'CPUAndGPU', 'CPUAndNeuralEngine', 'CPUOnly'},
    'precision': {'FP32', 'FP16', 'ACCURACY'},
}
MEMORY = {'cuda': ('CUDAExecutionProvider', 'TensorrtExecutionProvider'), 'dml': ('DmlExecutionProvider',)}
_CPU = 'CPUExecutionProvider'
_LOG = (
    '\x1b[1;31m2026-11-29 16:23:37.0 [E:onnxruntime:Default, provider_bridge_ort.cc:2310 Get] /ort/provider_bridge.cc '
    'onnxruntime::Provider& onnxruntime::ProviderLibrary::Get() [ONNXRuntimeError] : 1 : FAIL : {}\x1b[m\n'
)


class SessionOptions:
    """Only the attributes that exist can be set."""

    __slots__ = ('enable_mem_pattern', 'entries', 'intra_op_num_threads', 'log_severity_level')

    def __init__(self):
        self.entries, self.enable_mem_pattern = {}, True

    def add_session_config_entry(self, key, value):
        assert isinstance(key, str), key
        assert isinstance(value, str), value
        self.entries[key] = value


class FakeRuntime(ModuleType):
    """The module.

    Args:
        real: the real ONNX Runtime.
        *providers: the accelerators of this build.
        gpus: how many there are.
        broken: why the libraries of the accelerators cannot be loaded.
        idle: whether no operator is given to the accelerators.
        error: is added to outputs of the accelerators: a number, or a function of their run, from 0.
        fails: why a run fails.
    """

    def __init__(self, real, *providers, gpus=2, broken='', idle=False, error=0.0, fails=''):
        super().__init__('onnxruntime')
        self.__spec__, self.real, self.providers = real.__spec__, real, [*providers, _CPU]
        self.gpus, self.broken, self.idle, self.error, self.fails = gpus, broken, idle, error, fails
        self.SessionOptions = SessionOptions
        self.sessions, self.events = [], []
        self.OrtValue = SimpleNamespace(ortvalue_from_numpy=self._copied)

    def get_available_providers(self):
        return list(self.providers)

    def preload_dlls(self):
        self.events.append('preload')
        if self.broken:
            print(f'Failed to load libcudnn.so.9: {self.broken}')

    def InferenceSession(self, path, options, providers, enable_fallback=1):
        session = Session(self, path, options, providers, enable_fallback)
        self.sessions.append(session)
        return session

    def _copied(self, array, device, number):
        assert array.flags['C_CONTIGUOUS']
        assert any(name in self.providers for name in MEMORY[device]), device
        assert isinstance(number, int)
        assert number < self.gpus
        self.events.append(f'copy to {device}:{number}')
        return SimpleNamespace(array=np.array(array), device=device)


class Session:
    def __init__(self, runtime, path, options, providers, enable_fallback):
        assert isinstance(options, SessionOptions)
        self.runtime, self.options, self.asked = runtime, options, providers
        self.names, self.runs = [], 0
        for each in providers:
            name, given = each if isinstance(each, tuple) else (each, {})
            if name not in runtime.providers:
                warnings.warn(f"Specified provider '{name}' is not in available provider names.", stacklevel=2)
            elif self._is_made(name, given, enable_fallback):
                self.names.append(name)
        real = runtime.real.SessionOptions()
        real.intra_op_num_threads = 1
        self.real = runtime.real.InferenceSession(path, real, providers=[_CPU])

    def _is_made(self, name, given, enable_fallback):
        """Whether the provider can be made; as in the real one, an error costs the provider only, unless told else."""
        unknown = set(given) - OPTIONS[name]
        wrong = [key for key, value in given.items() if value not in VALUES.get(key, {value})]
        number, runtime = int(given.get('device_id', 0)), self.runtime
        if unknown or wrong or not all(isinstance(value, str) for value in given.values()):
            return self._refused(f'Unknown provider option: "{unknown or wrong or given}".', enable_fallback)
        if number >= runtime.gpus:
            message = f'Invalid device ID: {number}, must be between 0 (inclusive) and {runtime.gpus} (exclusive).'
            return self._refused(message, enable_fallback)
        if name == 'DmlExecutionProvider':
            assert not self.options.enable_mem_pattern
        if runtime.broken and name != _CPU:
            os.write(2, _LOG.format(f'Failed to load library: {runtime.broken}').encode())
            return False
        return True

    @staticmethod
    def _refused(message, enable_fallback):
        if enable_fallback:
            print('*************** EP Error ***************')
            return False
        raise RuntimeError(message)

    def get_providers(self):
        return list(self.names)

    def get_inputs(self):
        return self.real.get_inputs()

    def get_outputs(self):
        return self.real.get_outputs()

    def get_provider_graph_assignment_info(self):
        names = [_CPU] if self.runtime.idle else self.names[:1]
        return [SimpleNamespace(ep_name=name) for name in names]

    def run(self, outputs, feed):
        if self.names[0] != _CPU and self.runtime.fails:
            raise RuntimeError(f'[ONNXRuntimeError] : 6 : RUNTIME_EXCEPTION : {self.runtime.fails}\nmore')
        found, error = self.real.run(outputs, feed), self.runtime.error
        if self.names[0] == _CPU:
            return found
        self.runs += 1
        shift = error(self.runs - 1) if callable(error) else error
        return [value + np.float32(shift) for value in found]

    def io_binding(self):
        return Binding(self)

    def run_with_iobinding(self, binding):
        binding.found = self.run(list(binding.outputs), {name: value.array for name, value in binding.inputs.items()})


class Binding:
    def __init__(self, session):
        self.session, self.inputs, self.outputs, self.found = session, {}, [], None

    def bind_ortvalue_input(self, name, value):
        assert name in [each.name for each in self.session.get_inputs()]
        assert self.session.names[0] in MEMORY[value.device]
        self.inputs[name] = value

    def bind_output(self, name, device_type='cpu', device_id=0):
        assert name in [each.name for each in self.session.get_outputs()]
        self.outputs.append(name)

    def copy_outputs_to_cpu(self):
        self.session.runtime.events.append('back')
        return self.found
