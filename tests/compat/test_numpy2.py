"""What mxnet 1.9.1 and gluoncv compute with this numpy is what they compute with numpy 1."""

import pickle
import struct
from importlib import import_module

import gluoncv  # noqa: F401 (its detectors are repaired as well)
import mxnet as mx
import numpy as np
import pytest

from gluon_cbam.compat.numpy2 import removed_names
from gluon_cbam.compat.repairs import repairs_of

TWO = np.int64(2)


# removed_names


@pytest.mark.parametrize('name', removed_names.READ)
def test_each_repaired_module_is_there(name):
    module = import_module(name)
    used = next(value for value in vars(module).values() if getattr(value, '__name__', '') == 'numpy')
    assert all(hasattr(used, read) for read in removed_names.READ[name])
    assert used.lib is np.lib and used.float32 is np.float32


def test_the_names_are_gone_after_the_import(python):
    code = 'import numpy; before = set(vars(numpy)); import gluon_cbam, mxnet, gluoncv\n'
    left = python(code + 'print("added:", set(vars(numpy)) - before)').stdout
    assert left.startswith('added:')
    assert not any(f"'{name}'" in left for names in removed_names.READ.values() for name in names)


def test_functions_that_numpy_renamed():
    assert mx.np.trapz([1.0, 2.0, 4.0]) == 4.5
    assert mx.np.alltrue([True, True]) and not mx.np.alltrue([True, False])
    assert mx.np.in1d([[1, 2], [3, 4]], [2, 3]).tolist() == [False, True, True, False]
    assert mx.np.msort([[3, 1], [2, 4]]).tolist() == [[2, 1], [3, 4]]
    assert (mx.np.PINF, mx.np.NINF, str(mx.np.NZERO)) == (np.inf, -np.inf, '-0.0') and np.isnan(mx.np.NaN)
    assert mx.np.sometrue(mx.np.array([0, 1])).item() and np.prod(mx.np.array([2, 3])).item() == 6


@pytest.mark.skipif(not hasattr(np, '_core'), reason='numpy 1 may have financial functions')
def test_a_financial_function_says_where_it_is():
    with pytest.raises(RuntimeError, match='numpy_financial.npv'):
        mx.np.npv(0.1, [1, 2])


def test_names_that_are_read_when_a_function_is_called():
    array = mx.np.array([1.0, 2.0])
    assert mx.np.pad(array, (1, 1)).asnumpy().tolist() == [0, 1, 2, 0]
    assert mx.np.pad(array, (1, 0), mode='edge').asnumpy().tolist() == [1, 1, 2]
    padded = mx.sym.np.pad(mx.sym.var('x').as_np_ndarray(), (1, 1))
    assert padded.eval(x=array)[0].asnumpy().tolist() == [0, 1, 2, 0]
    assert array[True].shape == (1, 2) and array[np.array([True, False])].asnumpy().tolist() == [1]
    handler = mx.gluon.contrib.estimator.event_handler.EarlyStoppingHandler(mx.metric.Loss(), mode='min')
    handler.train_begin(None)
    assert handler.best == np.inf
    anchors = gluoncv.model_zoo.rcnn.rpn.anchor.RPNAnchorGenerator(16, 16, (0.5, 1, 2), (8, 16, 32), (2, 2))
    anchors.initialize()
    assert anchors(mx.nd.zeros((1, 1, 2, 2))).shape == (1, 2 * 2 * 9, 4)


# parameter_text


@pytest.mark.parametrize(
    'compute, expected',
    [
        (lambda x: x.sum(axis=(np.int64(0), np.int64(1))), 12),
        (lambda x: x.reshape(shape=(TWO, -1)).shape, (2, 6)),
        (lambda x: mx.nd.Pooling(x.reshape((1, 1, 3, 4)), kernel=(TWO, TWO), pool_type='max').shape, (1, 1, 2, 3)),
        (lambda x: mx.nd.random.uniform(shape=(TWO, 3)).shape, (2, 3)),
        (lambda x: mx.nd.clip(x, np.float32(0.5), np.float64(0.75)).sum(), 9),
        (lambda x: mx.sym.var('x', shape=(TWO, [TWO]), wd_mult=(np.float32(0.1), True)).list_attr(),
         {'__shape__': '(2, [2])', '__wd_mult__': '(0.1, True)', 'wd_mult': '(0.1, True)'}),
    ],
)  # fmt: skip
def test_numbers_of_numpy_inside_parameters(compute, expected):
    value = compute(mx.nd.ones((3, 4)))
    assert (value.asscalar() if isinstance(value, mx.nd.NDArray) else value) == expected


def test_numbers_of_numpy_as_an_index():
    array = mx.nd.zeros((3, 4))
    array[TWO] = 3
    assert array.asnumpy().sum() == 12


def test_texts_are_still_texts_in_mxnet():
    from mxnet.symbol import symbol

    assert isinstance('cpu', getattr(symbol, 'str', str)) and not isinstance(1, getattr(symbol, 'str', str))
    assert type(getattr(symbol, 'str', str)((TWO,))) is str


# metrics


@pytest.mark.parametrize('name, first', [('mae', 2**24), ('mse', 2**12), ('rmse', 2**24), ('loss', 2**24)])
def test_metrics_add_in_double_precision(name, first):
    metric = mx.metric.create(name)
    for value in (first, 1, 1, 1):  # in float32, 2**24 + 1 is 2**24
        metric.update([mx.nd.array([[0]])], [mx.nd.array([[value]])])
    assert metric.get()[1] * 4 == metric.get_global()[1] * 4 == 2**24 + 3
    assert pickle.loads(pickle.dumps(metric)).get() == metric.get()


def test_other_metrics_keep_their_values():
    accuracy, correlation = mx.metric.Accuracy(), mx.metric.PCC()
    for metric in (accuracy, correlation):
        metric.update([mx.nd.array([0, 1])], [mx.nd.array([[0.9, 0.1], [0.1, 0.9]])])
    assert (accuracy.get(), correlation.get()) == (('accuracy', 1.0), ('pcc', 1.0))
    assert np.isnan(mx.metric.Loss().get()[1])


# records


def test_records_with_several_labels_and_with_images():
    packed = mx.recordio.pack(mx.recordio.IRHeader(0, [1.0, 2.0], 7, 0), b'image')
    assert packed == struct.pack('<IfQQ2f', 2, 0.0, 7, 0, 1.0, 2.0) + b'image'
    image = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    header, decoded = mx.recordio.unpack_img(mx.recordio.pack_img((0, 5.0, 7, 0), image, 9, '.png'))
    assert header.label == 5 and (decoded == image).all()


def test_a_module_without_a_defect_is_left_alone():
    assert repairs_of('mxnet.optimizer.optimizer') == []
