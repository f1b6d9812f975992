"""The workloads of all engines, with small networks and in this process."""

import mxnet as mx
import numpy as np
import pytest
from benchmarks.epoch import PacedRun
from records import encoded, photo, write

import gluon_cbam
from gluon_cbam.benchmarks import cbam_workloads, gluoncv_workloads, loader_workloads, textures
from gluon_cbam.benchmarks.context import BenchmarkContext
from gluon_cbam.benchmarks.engines import ENGINES, build
from gluon_cbam.benchmarks.gluoncv2_workloads import gluoncv2_name
from gluon_cbam.common import memory
from gluon_cbam.common.errors import UsageError
from gluon_cbam.training import TrainConfig
from gluon_cbam.training.loop.engine import Engine

TINY = BenchmarkContext('predict', network='cbamnet_tiny', batch=2, image_size=8, classes=10)


@pytest.fixture(scope='module')
def photos(tmp_path_factory):
    return write(tmp_path_factory.mktemp('photos') / 'photos.rec', [encoded(photo(40, 50, n)) for n in range(5)])


@pytest.mark.parametrize(
    ('mode', 'engine', 'images'),
    [
        ('predict', 'gluon_cbam', 2),
        ('train', 'gluon_cbam', 2),
        ('validate', 'gluon_cbam', 5),
        ('loader', 'gluon_cbam', 4),
        ('loader', 'cv2.imdecode', 5),
    ],
)
def test_every_workload_can_be_called_again(photos, mode, engine, images):
    check(TINY.replace(mode=mode, engine=engine, data=str(photos.path)), images)


@pytest.mark.parametrize(
    ('changes', 'channels', 'images'),
    [
        ({'mode': 'train'}, 1, 2),
        ({'mode': 'train', 'task': 'multilabel'}, 1, 2),
        ({'mode': 'validate'}, 1, 5),
        ({'mode': 'loader'}, 1, 4),
        ({'mode': 'predict'}, 1, 2),
        ({'mode': 'predict'}, 5, 2),
        ({'mode': 'predict', 'with_decode': True}, 1, 2),
    ],
)
def test_images_have_the_channels_of_the_network(photos, monkeypatch, changes, channels, images):
    seen = []
    real = gluon_cbam.CBAMNet.check_input
    monkeypatch.setattr(gluon_cbam.CBAMNet, 'check_input', lambda net, shape: seen.append(shape[1]) or real(net, shape))
    check(TINY.replace(options={'in_channels': channels}, data=str(photos.path), **changes), images)
    assert set(seen) <= {channels}
    assert seen or changes['mode'] == 'loader'


@pytest.mark.parametrize('task', [None, 'detection'])
def test_the_loader_gives_gray_images(tmp_path, task):
    textures.write_detection_records(tmp_path / 'boxes.rec', 5, 3, (20, 30))
    context = TINY.replace(mode='loader', task=task, data=str(tmp_path / 'boxes.rec'), options={'in_channels': 1})
    loader = loader_workloads._OF_TASKS.get(task, loader_workloads._images)(context)
    assert next(loader.epoch(0)).images.shape == (2, 8, 8, 1)


@pytest.mark.parametrize('engine', ['onnxruntime', 'openvino'])
def test_exported_networks_take_the_same_channels(engine):
    pytest.importorskip('onnx')
    pytest.importorskip(engine)
    check(TINY.replace(engine=engine, options={'in_channels': 1}), 2)


def test_the_loader_decodes_as_the_context_says(photos):
    for decode in ('exact', 'fast'):
        context = TINY.replace(mode='loader', decode=decode, data=str(photos.path))
        assert loader_workloads._images(context).decode == decode
        check(context, 4)


def test_the_loader_of_pictures_with_boxes_can_be_called_again(tmp_path):
    textures.write_detection_records(tmp_path / 'boxes.rec', 5, 3, (20, 30))
    for task, batches in ((None, 'Batch'), ('detection', 'DetectionBatch')):
        context = TINY.replace(mode='loader', task=task, data=str(tmp_path / 'boxes.rec'))
        check(context, 4)
        loader = loader_workloads._OF_TASKS.get(task, loader_workloads._images)(context)
        assert type(next(loader.epoch(0))).__name__ == batches


@pytest.mark.parametrize(
    ('workload', 'images'), [('bare_loops:train', 2), ('bare_loops:epoch_in_memory', 4), ('epoch:on_records', 4)]
)
def test_workloads_of_the_benchmark_table(photos, workload, images):
    context = TINY.replace(mode='train', workload=f'benchmarks.{workload}', data=str(photos.path))
    check(context, images)


def check(context, images):
    """Build and call a workload."""
    with build(context) as (workload, facts):
        assert workload.images == images
        for _ in range(3):
            workload.call()
        workload.wait()
    assert facts['versions']['numpy'] == np.__version__
    # the peak counts from then on, and other threads give memory back meanwhile
    assert 0 < facts['imported_bytes'] <= memory.peak() + 2**24


def test_predict_from_files_gets_every_image(monkeypatch):
    made = []
    real = cbam_workloads.prediction.predict

    def predict(*arguments):
        made.append(list(real(*arguments)))
        return made[-1]

    monkeypatch.setattr(cbam_workloads.prediction, 'predict', predict)
    with build(TINY.replace(with_decode=True)) as (workload, _):
        workload.call()
        workload.call()
    assert [[prediction.name.rpartition('/')[2] for prediction in each] for each in made] == [['0.jpg', '1.jpg']] * 2
    assert [prediction.error for each in made for prediction in each] == [None] * 4


def test_train_runs_a_step_of_the_engine(monkeypatch):
    """The code of the training run updates weights and running statistics."""
    engines = []
    real = Engine.__init__
    monkeypatch.setattr(Engine, '__init__', lambda self, setup: engines.append(self) or real(self, setup))
    with build(TINY.replace(mode='train')) as (workload, _):
        net = engines[0].net
        before = {name: value.data().asnumpy() for name, value in net.collect_params().items()}
        workload.call()
        workload.wait()
        changed = [
            name for name, value in net.collect_params().items() if (value.data().asnumpy() != before[name]).any()
        ]
    assert any('weight' in name for name in changed)
    assert any('running' in name for name in changed)


def test_a_paced_run_trains_one_epoch_for_each_call(photos, tmp_path):
    config = TrainConfig(
        network='cbamnet_tiny', classes=10, data_train=str(photos.path), output=str(tmp_path / 'run'), batch_size=2,
        image_size=8, epochs=100, workers=1,
    )  # fmt: skip
    with PacedRun(config) as run:
        for epochs in (1, 2):
            run.epoch()
            lines = (tmp_path / 'run' / 'metrics.jsonl').read_text().splitlines()
            assert sum('"kind": "epoch"' in line for line in lines) == epochs
            assert list((tmp_path / 'run' / 'checkpoints').iterdir())


def test_a_paced_run_raises_errors_of_the_run(photos, tmp_path):
    config = TrainConfig(network='cbamnet_tiny', classes=1, data_train=str(photos.path), output=str(tmp_path / 'run'))
    with pytest.raises(gluon_cbam.common.errors.DataError, match='not a class'), PacedRun(config):
        pass


def test_unsupported_modes_and_networks():
    with pytest.raises(UsageError, match="torch cannot be measured at 'validate'"), build(
        TINY.replace(engine='torch', mode='validate')
    ):
        pass
    with pytest.raises(UsageError, match='gluoncv2 has no network like cbamnet_tiny'), build(
        TINY.replace(engine='gluoncv2')
    ):
        pass


@pytest.mark.parametrize('engine', ['onnxruntime', 'openvino'])
def test_exported_networks_run_in_their_engines(engine):
    """The engine computes what the network computes that another process exported."""
    pytest.importorskip(engine)
    context = TINY.replace(engine=engine, options={'reduction': 2})
    with build(context) as (workload, facts):
        output = np.array(workload.call())
    assert output.shape == (2, 10)
    assert np.isfinite(output).all()
    assert np.ptp(output, axis=0).max() > 0, 'images of the batch give different outputs'
    assert {engine, 'numpy'} <= set(facts['versions'])


def test_errors_of_the_exporting_process_are_raised():
    with pytest.raises(UsageError, match='no option'), build(TINY.replace(engine='onnxruntime', options={'no': 1})):
        pass
    with pytest.raises(UsageError, match='as one device'), build(TINY.replace(engine='onnxruntime', cpus=2)):
        pass


def test_names_of_gluoncv2_give_equal_networks():
    """Their parameters can be converted to ours, one by one."""
    from gluoncv2.model_provider import get_model

    for name in ('resnet18', 'resnet50', 'cbam_resnet50', 'bam_resnet101'):
        theirs = get_model(gluoncv2_name(name)).collect_params().values()
        ours = gluon_cbam.get_model(name).collect_params().values()
        assert sorted(str(each.shape) for each in theirs) == sorted(str(each.shape) for each in ours), name
    assert gluoncv2_name('resnet50') == 'resnet50b'
    for name in ('se_resnet50', 'cifar_resnet18', 'resnet20'):
        with pytest.raises(UsageError):
            gluoncv2_name(name)


DETECTOR = BenchmarkContext(
    'predict', network='ssd_300', batch=2, image_size=64, classes=3, options={'backbone': 'cbam_resnet18'}
)


@pytest.mark.parametrize('engine', ['gluoncv', 'gluoncv fused'])
def test_detectors_of_gluoncv_have_our_layers(engine):
    pytest.importorskip('gluoncv')
    context = DETECTOR.replace(engine=engine)
    with build(context) as (workload, _):
        classes, scores, boxes = workload.call()
    assert (classes.shape, scores.shape, boxes.shape) == ((2, 100, 1), (2, 100, 1), (2, 100, 4))
    theirs = gluoncv_workloads.network(context)
    logits, offsets, anchors = theirs_in_training(theirs, context)
    ours = gluon_cbam.get_model('ssd_300', classes=3, **context.options)
    count = len(ours.anchors(64, 64))
    assert (logits.shape, offsets.shape, anchors.shape) == ((2, count, 4), (2, count, 4), (1, count, 4))
    assert shapes_of(theirs) == shapes_of(ours)


def shapes_of(net):
    parameters = net._collect_params_with_prefix().items()
    return sorted(str(each.shape) for name, each in parameters if 'anchor' not in name)


REGIONS = DETECTOR.replace(network='faster_rcnn_fpn', image_size=128, batch=1)


@pytest.mark.slow
def test_gluoncv_has_the_layers_of_faster_rcnn():
    pytest.importorskip('gluoncv')
    nets = [gluoncv_workloads.network(REGIONS.replace(engine=engine)) for engine in ('gluoncv', 'gluoncv fused')]
    x = mx.nd.random.normal(shape=(1, 3, 128, 128))
    for net in nets:
        first, second = ([each.asnumpy() for each in net(x)] for _ in range(2))
        assert all(np.array_equal(*pair) for pair in zip(first, second)), 'the same outputs twice'
        assert all(np.isfinite(each).all() for each in first)
    ours = gluon_cbam.get_model('faster_rcnn_fpn', classes=3, **REGIONS.options)
    shapes = [shapes_of(net) for net in (*nets, ours)]
    assert shapes[0] == shapes[1] == shapes[2]


def theirs_in_training(net, context):
    with mx.autograd.train_mode():
        return net(mx.nd.zeros((context.batch, 3, context.image_size, context.image_size)))


@pytest.mark.parametrize(
    ('engine', 'context'),
    [
        ('gluoncv', DETECTOR),
        ('gluoncv fused', DETECTOR),
        pytest.param('gluoncv fused', REGIONS, marks=pytest.mark.slow),
    ],
)
def test_a_training_step_of_gluoncv_learns(engine, context, monkeypatch):
    pytest.importorskip('gluoncv')
    nets, real = [], gluoncv_workloads.network
    monkeypatch.setattr(gluoncv_workloads, 'network', lambda context: nets.append(real(context)) or nets[-1])
    with build(context.replace(engine=engine, mode='train')) as (workload, facts):
        before = {name: value.data().asnumpy() for name, value in nets[0].collect_params().items()}
        workload.call()
        workload.wait()
        changed = [
            name for name, value in nets[0].collect_params().items() if (value.data().asnumpy() != before[name]).any()
        ]
    learned = [name for name in before if 'anchor' not in name and 'running' not in name]
    assert len(set(learned) & set(changed)) > 0.9 * len(learned)
    assert {'gluoncv', 'mxnet'} <= set(facts['versions'])


@pytest.mark.parametrize('engine', ['gluoncv', 'gluoncv fused'])
@pytest.mark.parametrize('mode', ['predict', 'train'])
def test_detectors_of_gluoncv_take_the_same_channels(engine, mode):
    pytest.importorskip('gluoncv')
    options = {**DETECTOR.options, 'in_channels': 1}
    check(DETECTOR.replace(engine=engine, mode=mode, options=options), DETECTOR.batch)


def test_gluoncv_has_some_detectors():
    pytest.importorskip('gluoncv')
    with pytest.raises(UsageError, match='GluonCV has no detector like ssd_300_lite here: did you mean ssd_300'), build(
        DETECTOR.replace(engine='gluoncv', network='ssd_300_lite', options={})
    ):
        pass
    with pytest.raises(UsageError, match='gluoncv2 has no network like mobilenet1.0'), build(
        DETECTOR.replace(engine='gluoncv', options={'backbone': 'mobilenet1.0'})
    ):
        pass


def test_the_official_network_in_torch_equals_ours():
    torch = pytest.importorskip('torch')
    from gluon_cbam.benchmarks.torch_network import network

    random = np.random.RandomState(0)
    for name in ('cbam_resnet18', 'resnet50'):
        theirs, ours = network(name, 10).eval(), gluon_cbam.get_model(name, classes=10)
        arrays = {key: value.numpy().copy() for key, value in theirs.state_dict().items()}
        for key, value in arrays.items():
            if 'bn' in key or 'downsample.1' in key:  # so that nothing is 0 or 1 by its beginning
                arrays[key] = random.uniform(0.5, 1.5, value.shape).astype(value.dtype)
        theirs.load_state_dict({key: torch.from_numpy(value.copy()) for key, value in arrays.items()})
        gluon_cbam.convert.load_arrays(ours, arrays, 'official')
        x = random.standard_normal((2, 3, 64, 64)).astype(np.float32)
        with torch.no_grad():
            expected = theirs(torch.from_numpy(x)).numpy()
        assert np.abs(ours(mx.nd.array(x)).asnumpy() - expected).max() < 1e-5 * np.abs(expected).max(), name


def test_the_network_for_faces_in_torch_equals_ours():
    """With our parameters, every one of which it has under its name, it gives our embeddings."""
    torch = pytest.importorskip('torch')
    from gluon_cbam.benchmarks.torch_faces import network, torch_name

    ours = gluon_cbam.get_model('modified_cbamnet18', image_size=32)
    ours.initialize()
    random, arrays = np.random.RandomState(0), {}
    for name, parameter in ours._collect_params_with_prefix().items():
        value = parameter.data().asnumpy()
        if value.ndim == 1:  # so that nothing is 0 or 1 by its beginning; the last gamma is 1 whatever it holds
            value = random.uniform(0.5, 1.5, value.shape).astype(value.dtype)
            parameter.set_data(mx.nd.array(value))
        arrays[torch_name(name)] = value if name != 'head.fc1.gamma' else np.ones_like(value)
    theirs = network('modified_cbamnet18', 32).eval()
    missing, unexpected = theirs.load_state_dict(
        {name: torch.from_numpy(value.copy()) for name, value in arrays.items()}, strict=False
    )
    assert unexpected == []
    assert all(name.endswith('num_batches_tracked') for name in missing)
    x = random.uniform(0, 255, (2, 3, 32, 32)).astype(np.float32)
    with torch.no_grad():
        expected = theirs(torch.from_numpy(x)).numpy()
    assert np.abs(ours(mx.nd.array(x)).asnumpy() - expected).max() < 1e-4 * np.abs(expected).max()


def test_arcface_in_torch_follows_its_formula():
    torch = pytest.importorskip('torch')
    from gluon_cbam.benchmarks.torch_faces import ArcFace

    random = np.random.RandomState(0)
    x, labels = random.standard_normal((5, 8)), np.array([0, 3, 3, 6, 1])
    head = ArcFace(7, 8)
    weight = head.weight.detach().numpy().astype(np.float64)
    cosines = (x / np.linalg.norm(x, axis=1, keepdims=True)) @ (
        weight / np.linalg.norm(weight, axis=1, keepdims=True)
    ).T
    rows = np.arange(5)
    cosines[rows, labels] = np.cos(np.arccos(cosines[rows, labels]) + 0.5)
    expected = np.mean(np.log(np.exp(64 * cosines).sum(1)) - 64 * cosines[rows, labels])
    found = head(torch.from_numpy(x.astype(np.float32)), torch.from_numpy(labels)).item()
    assert found == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(('task', 'network', 'classes'), [('faces', 'modified_cbamnet18', 6), (None, 'resnet18', 6)])
def test_a_training_step_in_torch(task, network, classes):
    pytest.importorskip('torch')
    context = TINY.replace(mode='train', engine='torch channels_last', network=network, image_size=32, task=task)
    with build(context.replace(classes=classes)) as (workload, facts):
        workload.call()
    assert 'torch' in facts['versions']


def test_torch_has_losses_for_its_tasks_only():
    pytest.importorskip('torch')
    with pytest.raises(UsageError, match='no loss of the task detection'), build(
        TINY.replace(mode='train', engine='torch', network='resnet18', task='detection')
    ):
        pass


def test_every_module_of_the_table_exists():
    from importlib import import_module
    from importlib.util import find_spec

    for modes in ENGINES.values():
        for place in modes.values():
            module, _, function = place.partition(':')
            if module == 'of_torch' and find_spec('torch') is None:
                continue
            assert callable(getattr(import_module(f'gluon_cbam.benchmarks.{module}'), function))
