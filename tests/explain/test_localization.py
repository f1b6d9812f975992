"""Scores of networks whose answers are known: one that looks at what is bright, and one that looks away."""

import cv2
import mxnet as mx
import numpy as np
import pytest
from mxnet.gluon import nn

import gluon_cbam
from gluon_cbam.common.errors import DataError, UsageError
from gluon_cbam.data.datasets.masks import MaskFile, masks_path, write_masks
from gluon_cbam.data.loading.preprocessing import Preprocessing
from gluon_cbam.data.records.recordio import RecordFile, RecordWriter
from gluon_cbam.explain.localization.evaluation import score_maps
from gluon_cbam.inference.network import LoadedNetwork

COUNT, SIZE = 10, 32


@pytest.fixture(scope='module')
def bright(tmp_path_factory):
    """Images with a white box on gray, whose masks are the boxes; the labels are 0 and 1 in turn."""
    path, random, masks = tmp_path_factory.mktemp('bright') / 'val.rec', np.random.RandomState(0), []
    with RecordWriter(path) as writer:
        for number in range(COUNT):
            image = np.full((SIZE, SIZE, 3), 90, np.uint8)
            mask = np.zeros((SIZE, SIZE), bool)
            top, left = random.randint(0, SIZE // 4 - 2, 2) * 4
            mask[top : top + 8, left : left + 12] = True
            image[mask] = 255
            writer.write(float(number % 2), cv2.imencode('.png', image)[1].tobytes())
            masks.append(mask)
    write_masks(masks_path(path), range(COUNT), masks)
    return path


def looking(sign, **changes):
    """A network of a convolution, which passes the brightness on, and a spatial gate that opens where it is bright."""
    net = nn.HybridSequential()
    net.add(
        nn.Conv2D(4, 1, in_channels=3),
        gluon_cbam.CBAM(4, reduction=2, kernel_size=1, spatial_norm=False),
        nn.GlobalAvgPool2D(),
        nn.Dense(2, in_units=4),
    )
    net.initialize(mx.init.Constant(1 / 3))
    net[0].bias.set_data(mx.nd.zeros(4))
    net[1].channel.fc2.weight.set_data(mx.nd.zeros((4, 2)))  # the channel gate is 1/2 whatever it sees
    net[1].spatial.conv.weight.set_data(sign * mx.nd.array([[[[10]], [[0]]]]))
    net[1].spatial.conv.bias.set_data(-sign * mx.nd.array([7]))
    net[3].weight.set_data(mx.nd.array([[1, 1, 1, 1], [0.5, 0.5, 0.5, 0.5]]))
    net[3].bias.set_data(mx.nd.zeros(2))
    preprocessing = Preprocessing(SIZE, 1.0, (0, 0, 0), (1, 1, 1))
    return LoadedNetwork(net, 'looking', 2, None, Preprocessing(**{**preprocessing.as_dict(), **changes}), None)


@pytest.mark.parametrize('batch_size', [4, COUNT])
def test_a_network_that_looks_at_the_object(bright, batch_size):
    records = RecordFile(bright)
    found = score_maps(looking(1), records, MaskFile(records), ('0',), batch_size=batch_size)
    assert list(found.maps) == ['spatial 1', 'gradcam 0', 'gradcam++ 0']
    for name in found.maps:
        scores = found.maps[name]
        assert (scores.records, scores.pointing, scores.energy, scores.iou) == (COUNT, 1, 1, pytest.approx(1)), name
    assert found.top1 == 0.5, 'it says 0 for all, and half of the labels are'
    assert found.baselines['uniform'].pointing == pytest.approx(8 * 12 / SIZE**2)
    assert found.baselines['uniform'].lift == pytest.approx(1)


def test_a_network_that_looks_away(bright):
    records = RecordFile(bright)
    found = score_maps(looking(-1), records, MaskFile(records), ('0',))
    scores = found.maps['spatial 1']
    assert (scores.pointing, scores.energy) == (0, 0)
    assert scores.iou == pytest.approx(8 * 12 / SIZE**2), 'nothing is better than the whole image'


def test_activations_are_of_the_label(bright):
    """All is evidence against class 1, although 0 is what the network says: half of the maps are empty."""
    records, loaded = RecordFile(bright), looking(1)
    loaded.net[3].weight.set_data(mx.nd.array([[1, 1, 1, 1], [-1, -1, -1, -1]]))
    found = score_maps(loaded, records, MaskFile(records), ('0',))
    for method in ('gradcam', 'gradcam++'):
        assert found.maps[f'{method} 0'].pointing == pytest.approx((1 + 8 * 12 / SIZE**2) / 2)
    assert found.maps['spatial 1'].pointing == 1


def test_masks_are_cropped_as_the_images_are(bright):
    """The network sees the middle 24 pixels of the image resized to 48: what is bright there is still the object."""
    records = RecordFile(bright)
    loaded = looking(1, image_size=40, crop_ratio=40 / 48)
    found = score_maps(loaded, records, MaskFile(records))
    assert found.maps['gradcam 1'].pointing == 1
    assert found.maps['spatial 1'].iou > 0.9


def test_alignment(bright):
    """A convolution of stride 4 and kernel 1 looks at the first of four pixels; the boxes begin at such pixels."""
    records = RecordFile(bright)
    loaded = looking(1)
    loaded.net[0]._kwargs['stride'] = (4, 4)
    by_name = {
        align: score_maps(loaded, records, MaskFile(records), ('0',), align).maps['spatial 1']
        for align in ('even', 'fields')
    }
    assert by_name['even'].pointing == by_name['fields'].pointing == 1
    assert by_name['even'].iou > by_name['fields'].iou, 'the boxes fill even cells'
    with pytest.raises(UsageError, match="unknown alignment 'field': did you mean fields"):
        score_maps(loaded, records, MaskFile(records), align='field')


def test_masks_of_other_images(bright, tmp_path):
    records = RecordFile(bright)
    write_masks(tmp_path / 'small.npz', range(COUNT), np.ones((COUNT, 16, 16), bool))
    with pytest.raises(DataError, match=r'small.npz has masks of \(16, 16\) pixels, but .* images of \(32, 32\)'):
        score_maps(looking(1), records, MaskFile(records, tmp_path / 'small.npz'))


def test_objects_that_the_network_does_not_see(bright):
    records = RecordFile(bright)
    with pytest.raises(UsageError, match='sees nothing of the object of record [0-9]+: --crop-ratio 1 crops nothing'):
        score_maps(looking(1, crop_ratio=0.2), records, MaskFile(records))
