"""Threads and forks, each in a process of its own."""

import json
import os

import pytest

# prints a digest of what the operators give, to the bit and to four digits
_DIGEST = """
import gluon_cbam, hashlib, json
import mxnet as mx, numpy as np
from gluon_cbam.ops.library import GATE_CONVOLUTIONS, NAMES, load
operators, random = load(), np.random.RandomState(0)
def maps(c, h, k=3, inputs=64):
    # integers in 64ths: no sum of a convolution is rounded
    made = [mx.nd.array(random.randint(-9, 9, shape) / 8) for shape in ((3, inputs, h, h), (c, inputs, k, k))]
    return mx.nd.Convolution(*made, kernel=(k, k), pad=(k // 2, k // 2), num_filter=c, no_bias=True)
bits, sums = hashlib.md5(), []
def add(name, inputs):
    for array in inputs:
        array.attach_grad()
    with mx.autograd.record():
        outputs = getattr(operators.nd, name)(*inputs)
    outputs = outputs if isinstance(outputs, list) else [outputs]
    mx.autograd.backward(outputs, [mx.nd.array(random.randn(*output.shape)) for output in outputs])
    for array in [*outputs, *(array.grad for array in inputs)]:
        bits.update(array.asnumpy().tobytes())
        sums.append(float(np.abs(array.asnumpy().astype('f8')).sum()))
for name in NAMES:
    # more values than one thread works on alone, in the layouts of test_operators.py
    for x in (mx.nd.array(random.randn(3, 19, 53, 51)), maps(64, 28), maps(40, 35), maps(48, 31, inputs=256)):
        n, c, h, w = x.shape
        sizes = {'_gated': (n, c), '_channel': (n, c), '_spatial': (n, 1, h, w), '_add': x.shape, 'prelu': (c,)}
        add(name, [x] + [mx.nd.array(random.randn(*size)) for part, size in sizes.items() if part in name])
for name in GATE_CONVOLUTIONS:
    # a gradient of few large and of many small groups
    for shape in ((9, 2, 52, 51), (300, 3, 8, 8)):
        inputs = [mx.nd.array(random.randn(*size)) for size in (shape, (1, shape[1], 7, 7), (1,))]
        add(name, inputs if name.endswith('bias') else inputs[:2])
runtimes = {line.split()[-1] for line in open('/proc/self/maps') if 'libgomp' in line}
assert len(runtimes) == 1, runtimes  # MXNet sets the threads of this one
print(json.dumps([operators.instructions, bits.hexdigest(), sums]))
"""

# a network after a fork, in children of its own and in workers of a DataLoader
_FORK = """
import gluon_cbam, os
import mxnet as mx, numpy as np
from concurrent.futures import ThreadPoolExecutor
from gluon_cbam.ops.library import load
with ThreadPoolExecutor(8) as pool:  # adding an operator to mxnet twice would end the process
    assert len(set(map(id, pool.map(lambda _: load(), range(8))))) == 1
net = gluon_cbam.get_model('cbamnet_tiny', pretrained=True)
images = np.random.RandomState(0).rand(8, *SHAPE).astype('f')
for hybrid in (False, True):
    if hybrid:
        net.hybridize(static_alloc=True, static_shape=True)
    expected = net(mx.nd.array(images)).asnumpy()
    child = os.fork()
    if child == 0:
        os._exit(int(np.abs(net(mx.nd.array(images)).asnumpy() - expected).max() > 1e-5))
    assert os.waitpid(child, 0)[1] == 0
class Logits(mx.gluon.data.Dataset):
    def __len__(self):
        return 8
    def __getitem__(self, index):
        return net(mx.nd.array(images[index:index + 1])).asnumpy()[0]
batches = list(mx.gluon.data.DataLoader(Logits(), batch_size=4, num_workers=2))
assert np.abs(mx.nd.concat(*batches, dim=0).asnumpy() - expected).max() <= 1e-4
print('the same')
"""

# operators are added while one of MXNet runs, which is written in Python
_LOAD_WHILE_BUSY = """
import gluon_cbam, time
import mxnet as mx
from gluon_cbam.ops import library
library._PATIENCE = SECONDS
done = []
class Slow(mx.operator.CustomOp):
    def forward(self, is_train, req, in_data, out_data, aux):
        time.sleep(1)
        self.assign(out_data[0], req[0], in_data[0])
        done.append(time.monotonic())
@mx.operator.register('slow')
class SlowProp(mx.operator.CustomOpProp):
    def create_operator(self, ctx, shapes, types):
        return Slow()
mx.nd.Custom(mx.nd.ones(3), op_type='slow')
loaded = library.load()
assert not loaded or done, 'added while an operator ran'
mx.nd.waitall()
print('added afterwards' if loaded else 'not added')
"""

# the CPUs of the first thread, and how many threads have one CPU each, after an inference
_BOUND = """
import gluon_cbam, os
import mxnet as mx
net = gluon_cbam.get_model('cifar_cbam_resnet18', widen=0.25)
net.initialize()
net.hybridize(static_alloc=True, static_shape=True)
net(mx.nd.zeros((1, 3, 32, 32))).wait_to_read()
own = [cpus for cpus in (os.sched_getaffinity(int(each)) for each in os.listdir('/proc/self/task')) if len(cpus) == 1]
assert len(own) == len(set().union(*own)), 'two threads share a CPU'
print(len(os.sched_getaffinity(0)), len(own))
"""


def _digest(python, **variables):
    process = python(_DIGEST, env={'OMP_NUM_THREADS': '1', **variables})
    assert process.returncode == 0, process.stderr
    return json.loads(process.stdout)


@pytest.fixture(scope='module')
def one_thread(operators, python):
    return _digest(python)


@pytest.mark.parametrize('threads', ['2', '3'])
def test_threads_change_no_bit(threads, one_thread, python):
    assert _digest(python, OMP_NUM_THREADS=threads) == one_thread


def test_after_a_fork(operators, python):
    code = _FORK.replace('SHAPE', '(3, 28, 28)')
    process = python(code, env={'OMP_NUM_THREADS': '2'})
    assert process.stdout == 'the same\n', process.stderr


@pytest.mark.parametrize(
    ('patience', 'outcome', 'warning'), [(60, 'added afterwards', ''), (0.1, 'not added', 'ran 0.1 s without a pause')]
)
def test_operators_are_added_while_none_runs(patience, outcome, warning, operators, python):
    """MXNet 1.9.1 copies its table of operators without a lock whenever one runs; it would write behind the copy."""
    process = python(_LOAD_WHILE_BUSY.replace('SECONDS', str(patience)))
    assert process.stdout == f'{outcome}\n', process.stderr
    assert warning in process.stderr


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason='there is one CPU')
@pytest.mark.parametrize(
    ('more_threads', 'variables', 'bound'),
    [(0, {}, True), (-1, {}, False), (0, {'OMP_PROC_BIND': 'false'}, False), (0, {'CBAM_KERNELS': 'plain'}, False)],
)
def test_a_thread_for_each_cpu_is_bound_to_it(more_threads, variables, bound, operators, python):
    """Those of the operators; the first thread, whose CPUs others inherit, keeps all."""
    cpus = len(os.sched_getaffinity(0))
    process = python(_BOUND, env={'OMP_NUM_THREADS': str(cpus + more_threads), **variables})
    assert process.stdout.split() == [str(cpus), str(cpus if bound else 0)], process.stderr
