"""Every family and option as ONNX gives what MXNet gives."""

import mxnet as mx
import numpy as np
import pytest
from lively import lively

from gluon_cbam import CBAMNet, features, get_model
from gluon_cbam.attention.blocks import CheckedBlock
from gluon_cbam.common.errors import DataError, UsageError
from gluon_cbam.export.onnx.engine_passes import ENGINE_PASSES, optimize_for_engine
from gluon_cbam.export.onnx.float16 import to_float16
from gluon_cbam.export.onnx.graph import to_model
from gluon_cbam.export.onnx.simplification import simplify
from gluon_cbam.export.onnx.translation import to_onnx_graph
from gluon_cbam.export.runtime.onnxruntime_engine import onnxruntime_session
from gluon_cbam.export.tracing import USUAL, GraphKind, trace
from gluon_cbam.models.features import Features
from gluon_cbam.models.mobilenet import MobileNet
from gluon_cbam.models.modified_cbamnet import HEADS, ModifiedCBAMNet
from gluon_cbam.models.resnet import ResNet


def resnet(attention, block='basic', **options):
    return lambda: ResNet(block, (1, 1, 1, 1), 7, attention=attention, widen=0.25, **options)


def modified(bottleneck=False, size=32, **options):
    """Its units, stems and heads, as narrow as they can be."""
    return lambda: ModifiedCBAMNet(
        (1, 2, 1, 1), (16, 16, 16, 32, 32), bottleneck, 9, reduction=4, image_size=size, **options
    )


NETWORKS = {
    'resnet': (33, resnet(None)),
    'resnet, stride in the first convolution': (32, resnet(None, 'bottleneck', bottleneck_stride='1x1')),
    'se_resnet': (32, resnet('se')),
    'bam_resnet': (32, resnet('bam', reduction=4)),
    'cbam_resnet18': (33, lambda: get_model('cbam_resnet18', classes=7)),
    'cbam_resnet, bottlenecks': (40, resnet('cbam', 'bottleneck')),
    'cbam, spatial first': (32, resnet('cbam', order='spatial_channel')),
    'cbam, parallel': (32, resnet('cbam', order='parallel')),
    'cbam, four poolings': (32, resnet('cbam', pool_types=('avg', 'max', 'lp', 'lse'), kernel_size=3)),
    'cbam, average': (32, resnet('cbam', pool_types=('avg',))),
    'cbam, maximum': (32, resnet('cbam', pool_types=('max',))),
    'cbam, conv1x1': (32, resnet('cbam', spatial_pool='conv1x1')),
    'cbam, channel gate alone': (32, resnet('cbam', spatial=False)),
    'cbam, spatial gate alone': (32, resnet('cbam', channel=False)),
    'cbam, identity': (32, resnet('cbam', gate='identity', descriptors=('mean', 'max'))),
    'cbam, identity, parallel': (
        32,
        resnet('cbam', gate='identity', order='parallel', mlp_bias=False, spatial_norm=False),
    ),
    'cifar_cbam_resnet': (16, resnet('cbam', stem='cifar')),
    'cbam_resnext': (32, resnet('cbam', 'bottleneck', groups=8, group_width=8)),
    'cbam_wide_resnet': (32, lambda: ResNet('basic', (1, 1, 1, 1), 7, attention='cbam', widen=0.375)),
    'mobilenet': (32, lambda: MobileNet(0.25, 7)),
    'se_mobilenet': (32, lambda: MobileNet(0.25, 7, 'se')),
    'cbam_mobilenet': (32, lambda: MobileNet(0.25, 7, 'cbam')),
    'vgg16_atrous': (37, lambda: get_model('vgg16_atrous', classes=7, widen=0.0625)),
    'cbamnet_tiny': (17, lambda: get_model('cbamnet_tiny', classes=7)),
    'cbamnet without its top': (16, lambda: CBAMNet(dims=(16, 24), include_top=False)),
    **{f'modified, head {head}': (32, modified(version_output=head)) for head in HEADS},
    **{
        f'modified, {act}': (32, modified(version_act=act, version_output='B'))
        for act in ('leaky', 'elu', 'gelu', 'selu')
    },
    'modified, ibn': (32, modified(ibn=True, version_output='A')),
    'modified, bottlenecks': (32, modified(True, version_output='A')),
    'modified, stem of 7 x 7': (64, modified(size=64, version_input=0, version_output='G')),
    'features': (33, lambda: Features(resnet('cbam')(), (1, 2, 3))),
    'features of cbamnet': (16, lambda: features('cbamnet_tiny', (0, 1))),
    'features of mobilenet': (32, lambda: Features(MobileNet(0.25, 7, 'cbam'), (4, 0))),
}
"""What -> image size, function that makes the network."""
TOLERANCE = 2e-5  # of the largest output; seen: 6e-6


def difference(net, size, shape=None, kind=USUAL):
    """The largest difference of ONNX sessions from MXNet, as a part of the largest output."""
    batch = np.random.RandomState(3).uniform(0, 255, (3, 3, *(shape or (size, size)))).astype(np.float32)
    batch = batch if 'Modified' in type(net).__name__ else batch / 64 - 2
    wanted = net(mx.nd.array(batch))
    wanted = [value.asnumpy() for value in (wanted if isinstance(wanted, (list, tuple)) else [wanted])]
    differences = []
    for engine in ENGINE_PASSES:
        graph = to_onnx_graph(trace(net, size, graph=kind))
        simplify(graph)
        optimize_for_engine(graph, engine)
        given = onnxruntime_session(to_model(graph, 17, {}, 'net').SerializeToString(), 1)(batch)
        assert [value.shape for value in given] == [value.shape for value in wanted]
        differences += [float(np.abs(one - two).max() / np.abs(two).max()) for one, two in zip(given, wanted)]
    return max(differences)


@pytest.mark.parametrize('what', NETWORKS)
def test_equals_mxnet(what):
    size, make = NETWORKS[what]
    assert difference(lively(make(), size), size) < TOLERANCE


@pytest.mark.parametrize(
    'what',
    [
        'bam_resnet', 'cbam_resnet, bottlenecks', 'cbam, four poolings', 'cbam, conv1x1', 'cbam, identity, parallel',
        'cifar_cbam_resnet', 'cbam_mobilenet', 'cbamnet_tiny', 'modified, head A', 'features',
    ],
)  # fmt: skip
def test_images_of_any_size(what):
    size, make = NETWORKS[what]
    net = lively(make(), size)
    assert difference(net, size, (size + 21, size + 6), GraphKind(dynamic=True)) < TOLERANCE


def test_dense_layers_over_maps_need_one_size():
    size, make = NETWORKS['modified, head F']
    with pytest.raises(UsageError, match='ModifiedCBAMNet has layers for images of one size: leave out --dynamic'):
        trace(lively(make(), size), size, graph=GraphKind(dynamic=True))


@pytest.mark.parametrize(
    'what', ['bam_resnet', 'cbam, four poolings', 'cbam, identity', 'cbam_resnext', 'cbamnet_tiny', 'features']
)
def test_float16(what):
    size, make = NETWORKS[what]
    net = lively(make(), size)
    batch = np.random.RandomState(3).uniform(-2, 2, (3, 3, size, size)).astype(np.float32)
    wanted = net(mx.nd.array(batch))
    wanted = [value.asnumpy() for value in (wanted if isinstance(wanted, (list, tuple)) else [wanted])]
    graph = to_onnx_graph(trace(net, size))
    simplify(graph)
    graph.name_outputs([f'output{number}' for number in range(len(graph.outputs))])
    to_float16(graph)
    given = onnxruntime_session(to_model(graph, 17, {}, 'net').SerializeToString(), 1)(batch)
    differences = [float(np.abs(one - two).max() / np.abs(two).max()) for one, two in zip(given, wanted)]
    assert 1e-5 < max(differences) < 5e-3  # it is no longer float32, and float16 has 10 bits
    weights = {graph.constants[node.inputs[1]].dtype for node in graph.nodes if node.op in ('Conv', 'Gemm')}
    assert weights == {np.dtype(np.float16)}


class TwoOutputs(CheckedBlock):
    """A detector's outputs: a score and a box for each cell."""

    def __init__(self):
        super().__init__()
        self._in_channels = 3
        self.score, self.box = (mx.gluon.nn.Conv2D(channels, 3, 2, in_channels=3) for channels in (1, 4))

    def hybrid_forward(self, F, x):
        boxes = F.reshape(F.transpose(self.box(x), (0, 2, 3, 1)), (0, -1, 4))
        return F.reshape(self.score(x), (0, -1)), boxes


class Enlarged(CheckedBlock):
    """Deconvolutions, of which one has padding, another kernel and stride for each side, and groups."""

    def __init__(self):
        super().__init__()
        self._in_channels = 3
        self.first = mx.gluon.nn.Conv2DTranspose(4, 2, 2, in_channels=3, use_bias=False)
        self.second = mx.gluon.nn.Conv2DTranspose(6, (3, 4), (2, 3), (1, 0), (1, 0), groups=2, in_channels=4)

    def hybrid_forward(self, F, x):
        return self.second(self.first(x))


def test_deconvolutions():
    net = lively(Enlarged(), 9)
    assert net(mx.nd.zeros((1, 3, 9, 9))).shape == (1, 6, 36, 55)
    assert difference(net, 9) < TOLERANCE


def test_outputs_of_other_shapes():
    assert difference(lively(TwoOutputs(), 16), 16) < TOLERANCE


def test_a_reshape_that_onnx_has_not_is_refused():
    class Merged(CheckedBlock):
        _in_channels = 3

        def hybrid_forward(self, F, x):
            return F.reshape(x, (0, -3, 0))

    with pytest.raises(DataError, match='Reshape to .* cannot be translated'):
        to_onnx_graph(trace(Merged(), 8))
