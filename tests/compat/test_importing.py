"""The import of mxnet and gluoncv, in separate processes, with substitutes for packages that are not installed."""

import shutil
import subprocess

import numpy
import pytest

from gluon_cbam.compat.threads import physical_cores

NEW_NUMPY = tuple(int(part) for part in numpy.__version__.split('.')[:2]) >= (1, 24)


def distribution(folder, name, version):
    """Make a distribution appear installed for processes with ``folder`` on their path."""
    info = folder / f'{name.replace("-", "_")}-{version}.dist-info'
    info.mkdir(parents=True)
    (info / 'METADATA').write_text(f'Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n')


def last_line(process):
    """The last line of a failed import."""
    assert process.returncode != 0
    return process.stderr.strip().splitlines()[-1]


@pytest.mark.skipif(not NEW_NUMPY, reason='numpy before 1.24 has numpy.bool')
def test_mxnet_needs_gluon_cbam_to_be_imported_first(python):
    assert 'AttributeError: ' in python('import mxnet').stderr
    code = 'import numpy; before = set(vars(numpy)); import gluon_cbam, mxnet\n'
    code += 'print(mxnet.nd.ones(2).sum().asscalar(), {"bool", "Inf", "in1d"} & (set(vars(numpy)) - before) or "none")'
    assert python(code).stdout.split() == ['2.0', 'none']


AT_ONCE = """
import faulthandler, threading, time
import gluon_cbam
ended = []
def load(name):
    try:
        __import__(name)
    except ImportError:  # of a module that the other thread has begun
        pass
    ended.append(name)
for name in ('mxnet', 'mxnet.metric'):
    threading.Thread(target=load, args=(name,), daemon=True).start()
    time.sleep(0.3)  # mxnet takes about a second
for wait in range(4000):  # a busy machine takes a minute
    if len(ended) == 2:
        break
    time.sleep(0.05)
if len(ended) < 2:
    faulthandler.dump_traceback()
print(len(ended))
import os; os._exit(0)
"""


def test_two_threads_import_mxnet_at_once(python):
    done = python(AT_ONCE)
    assert done.stdout.strip() == '2', done.stderr


def test_gluoncv_does_not_let_pillow_read_truncated_images(python):
    code = 'import gluon_cbam, gluoncv.data.mhp; from PIL import ImageFile; print(ImageFile.LOAD_TRUNCATED_IMAGES)'
    assert python(code).stdout.strip() == 'False'


@pytest.mark.skipif(not NEW_NUMPY, reason='numpy before 1.24 has numpy.bool')
def test_mxnet_works_after_an_import_without_gluon_cbam_failed(python):
    code = 'try:\n    import mxnet\nexcept Exception:\n    print("failed")\n'
    code += 'import gluon_cbam, numpy, mxnet\nprint(mxnet.nd.ones((2, 3)).sum(axis=(numpy.int64(0),)).asnumpy()[0])'
    assert python(code).stdout.split() == ['failed', '2.0']


def test_importing_gluon_cbam_does_not_import_mxnet(python):
    code = 'import gluon_cbam, gluon_cbam.zoo, sys; gluon_cbam.list_models(); gluon_cbam.zoo.cards(); '
    code += 'print("mxnet" in sys.modules)'
    assert python(code).stdout.strip() == 'False'


@pytest.mark.parametrize(
    'arguments', [['--help'], ['models', 'list'], ['zoo', 'list'], ['train', '--help'], ['--version']]
)
def test_light_commands_do_not_import_mxnet(python, arguments):
    code = (
        f'import sys; sys.argv = ["cbam", *{arguments!r}]\n'
        'from gluon_cbam.cli.main import cli\n'
        'try:\n    cli()\nexcept SystemExit as error:\n    assert not error.code\n'
        'heavy = {"mxnet", "gluoncv", "numpy", "cv2", "matplotlib"} & set(sys.modules)\n'
        'print("heavy:", heavy or "none")'
    )
    process = python(code)
    assert process.stdout.strip().splitlines()[-1] == 'heavy: none', process.stderr


def test_threads_default_to_the_physical_cores(python):
    code = 'import gluon_cbam, mxnet, os; print(os.environ.get("OMP_NUM_THREADS"))'
    unset = {'OMP_NUM_THREADS': '', 'MXNET_OMP_MAX_THREADS': ''}
    code_without = 'import os; [os.environ.pop(n, None) for n in ("OMP_NUM_THREADS", "MXNET_OMP_MAX_THREADS")]; ' + code
    assert python(code_without, env=unset).stdout.strip() == str(physical_cores())
    assert python(code, env={'OMP_NUM_THREADS': '7'}).stdout.strip() == '7'


def test_copies_from_numpy_start_no_threads(python):
    """The thread that copies would get a team besides that of the operators, and both would sleep instead of wait."""
    code = (
        'import gluon_cbam, mxnet as mx, numpy as np, os\n'
        'mx.nd.ones((1000, 1000)).wait_to_read()\n'
        'before = len(os.listdir("/proc/self/task"))\n'
        'mx.nd.array(np.zeros((1000, 1000), np.float32)).wait_to_read()\n'
        'print(len(os.listdir("/proc/self/task")) - before)'
    )
    unset = 'import os; os.environ.pop("MXNET_CPU_PARALLEL_SIZE", None)\n'
    assert python(unset + code, env={'OMP_NUM_THREADS': '2'}).stdout.strip() == '0'
    process = python(code, env={'OMP_NUM_THREADS': '2', 'MXNET_CPU_PARALLEL_SIZE': '200000'})
    assert process.stdout.strip() == '1', 'MXNET_CPU_PARALLEL_SIZE does not matter any more'


def test_the_waiting_policy_is_set_for_mxnet_alone(python):
    code = 'import os; [os.environ.pop(n, None) for n in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT")]\n{}\n'
    code += 'import gluon_cbam, mxnet; print([n for n in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT") if n in os.environ])'
    process = python(code.format(''), env={'OMP_DISPLAY_ENV': 'verbose'})
    assert process.stdout.strip() == '[]'
    assert "OMP_WAIT_POLICY = 'ACTIVE'" in process.stderr and "GOMP_SPINCOUNT = '300000'" in process.stderr
    process = python(code.format('os.environ["OMP_WAIT_POLICY"] = "passive"'), env={'OMP_DISPLAY_ENV': 'verbose'})
    assert process.stdout.strip() == "['OMP_WAIT_POLICY']"
    assert "OMP_WAIT_POLICY = 'PASSIVE'" in process.stderr and "GOMP_SPINCOUNT = '0'" in process.stderr


def test_unsupported_versions(python):
    code = 'import sys; sys.version_info = (3, 15, 0, "final", 0); import gluon_cbam, mxnet'
    assert last_line(python(code)).endswith('mxnet 1.9.1 run on Python 3.15: use Python 3.8 to 3.14')


def test_a_failed_import_can_be_tried_again(python):
    code = (
        'import sys; real = sys.version_info; sys.version_info = (3, 15, 0, "final", 0)\n'
        'import gluon_cbam\n'
        'try:\n    import mxnet\nexcept ImportError:\n    sys.version_info = real\n'
        'import mxnet; print(mxnet.__version__)'
    )
    assert python(code).stdout.strip() == '1.9.1'


def test_scikit_learn_can_be_imported(python):
    assert python('import gluon_cbam, mxnet, sys; print("sklearn" in sys.modules)').stdout.strip() == 'False'
    code = 'import gluon_cbam, mxnet; from sklearn.base import BaseEstimator; print(BaseEstimator.__name__)'
    assert python(code).stdout.strip() == 'BaseEstimator'


def test_find_spec_of_mxnet_imports_nothing(python):
    code = 'import gluon_cbam, importlib.util, sys; importlib.util.find_spec("mxnet"); print("mxnet" in sys.modules)'
    assert python(code).stdout.strip() == 'False'


@pytest.fixture
def torch2(tmp_path):
    """A stand-in for torch 2."""
    distribution(tmp_path, 'torch', '2.1.0')
    (tmp_path / 'torch').mkdir()
    (tmp_path / 'torch' / '__init__.py').write_text('__version__ = "2.1.0"\nclass Tensor: pass\n')
    return tmp_path


@pytest.mark.parametrize('before', ['', 'import torch; '])
def test_gluoncv_with_torch_2(python, torch2, before):
    plain = 'import gluon_cbam, mxnet, sys; sys.meta_path = [f for f in sys.meta_path if "Prepared" not in str(f)]; '
    plain += 'import gluoncv'
    assert 'Legacy torch' in last_line(python(before + plain, torch2))
    process = python(f'{before}import gluon_cbam, gluoncv; import torch; print(torch.__version__)', torch2)
    assert process.stdout.strip() == '2.1.0', process.stderr


@pytest.fixture
def gpu_build(tmp_path):
    distribution(tmp_path, 'mxnet-cu117', '1.9.1')
    return tmp_path


def test_the_gpu_build_without_a_driver(python, gpu_build):
    line = last_line(python('import gluon_cbam, mxnet', gpu_build))
    assert 'mxnet-cu117 needs an NVIDIA driver and libcuda.so.1 was not found' in line


@pytest.fixture
def driver(tmp_path):
    """A stand-in for the driver: one GPU of compute capability 9.0."""
    compiler = shutil.which('cc') or shutil.which('gcc')
    if compiler is None:
        pytest.skip('needs a C compiler')
    source = (
        'int cuInit(unsigned f) { return 0; }'
        'int cuDeviceGetCount(int *n) { *n = 1; return 0; }'
        'int cuDeviceGet(int *d, int i) { *d = i; return 0; }'
        'int cuDeviceGetAttribute(int *v, int a, int d) { *v = a == 75 ? 9 : 0; return 0; }'
    )

    def library(path, code):
        path.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run([compiler, '-shared', '-x', 'c', '-', '-o', str(path)], input=code, text=True, check=True)

    library(tmp_path / 'lib' / 'libcuda.so.1', source)
    library(tmp_path / 'nvidia' / 'cudnn' / 'lib' / 'libcudnn.so.8', 'int cudnn_stand_in;')
    library(tmp_path / 'nvidia' / 'nccl' / 'lib' / 'libnccl.so.2', 'int nccl_stand_in;')
    return tmp_path


def test_cuda_libraries_from_pip_are_loaded_before_mxnet(python, gpu_build, driver):
    code = (
        'import gluon_cbam, mxnet; maps = open("/proc/self/maps").read()\n'
        'print([name in maps for name in ("libcuda.so.1", "libcudnn.so.8", "libnccl.so.2")])\n'
        'from gluon_cbam.compat import cuda; print(cuda.compute_capabilities())'
    )
    process = python(code, driver, env={'LD_LIBRARY_PATH': str(driver / 'lib')})
    assert process.stdout.splitlines() == ['[True, True, True]', '[(9, 0)]'], process.stderr


def test_a_library_that_cannot_be_loaded_is_an_import_error(python, tmp_path):
    (tmp_path / 'mxnet').mkdir()
    failing = 'raise OSError("{}: cannot open shared object file")'
    expected = "DependencyError: mxnet's library cannot be loaded: {}: cannot open shared object file"
    for library, remedy in ('libfoo.so.1', ''), ('libgomp.so.1', ': apt-get install libgomp1 libquadmath0'):
        (tmp_path / 'mxnet' / '__init__.py').write_text(failing.format(library))
        line = last_line(python('import gluon_cbam, mxnet', tmp_path, env={'PYTHONDONTWRITEBYTECODE': '1'}))
        assert line.endswith(expected.format(library) + remedy)
