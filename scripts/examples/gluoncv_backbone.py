"""GluonCV's SSD with a backbone of this package: detection of handwritten digits.

    python scripts/examples/gluoncv_backbone.py --steps 60

The backbone has weights that were trained to classify digits, and is frozen; the heads are trained.
"""

import argparse

import gluon_cbam  # before mxnet and gluoncv, to make them work with current numpy

# isort: split
import mxnet as mx
import numpy as np
from gluoncv.loss import SSDMultiBoxLoss
from gluoncv.model_zoo.ssd import SSD
from gluoncv.model_zoo.ssd.target import SSDTargetGenerator
from sklearn.datasets import load_digits

from gluon_cbam.inference.network import load_network

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument('--network', default='cbamnet_tiny', help='with published weights')
parser.add_argument('--stages', type=int, nargs='+', default=[1], help='stages with feature maps for the heads')
parser.add_argument('--steps', type=int, default=60)
arguments = parser.parse_args()
SIZE, DIGIT = 32, 16  # pixels

# the backbone: feature maps of some stages, with their numbers of channels and strides
loaded = load_network(arguments.network, [mx.cpu()], pretrained=True)
backbone = gluon_cbam.features(loaded.net, arguments.stages)
print(f'{arguments.network}: channels {backbone.channels}, strides {backbone.strides}')
backbone.collect_params().setattr('grad_req', 'null')

# GluonCV's SSD takes any block that gives a list of maps
sizes = [DIGIT + 2 * level for level in range(len(backbone.channels) + 1)]
net = SSD(None, SIZE, lambda **_: backbone, None, sizes, [[1]] * len(sizes[1:]), backbone.strides, list('0123456789'))
for part in (net.class_predictors, net.box_predictors, net.anchor_generators):
    part.initialize(mx.init.Xavier())
gluon_cbam.use_fused_ops(net)  # speeds up the backbone on the CPU, inside a detector of another package
net.hybridize()

# images of one digit at a random place, with its bounding box
digits, random = load_digits(), np.random.RandomState(0)
mean, std = (np.float32(value) for value in (loaded.preprocessing.mean, loaded.preprocessing.std))


def batch(size, chosen):
    images, boxes = np.zeros((size, SIZE, SIZE), np.float32), np.zeros((size, 1, 4), np.float32)
    numbers = random.choice(chosen, size)
    for image, box, number in zip(images, boxes, numbers):
        left, top = random.randint(0, SIZE - DIGIT, 2)
        image[top : top + DIGIT, left : left + DIGIT] = np.kron(digits.images[number] / 16, np.ones((2, 2)))
        box[0] = left, top, left + DIGIT, top + DIGIT
    images = (images[:, None] - mean[:, None, None]) / std[:, None, None]
    return mx.nd.array(images), mx.nd.array(boxes), mx.nd.array(digits.target[numbers].reshape(size, 1, 1))


targets, loss = SSDTargetGenerator(negative_mining_ratio=-1), SSDMultiBoxLoss()
trainer = mx.gluon.Trainer(net.collect_params(), 'adam', {'learning_rate': 0.005})
for step in range(1, arguments.steps + 1):
    images, boxes, labels = batch(16, np.arange(1400))
    with mx.autograd.record():
        classes, shifts, anchors = net(images)
        with mx.autograd.pause():
            class_targets, shift_targets, _ = targets(anchors, classes, boxes, labels)
        total, class_loss, box_loss = (sum(part) for part in loss(classes, shifts, class_targets, shift_targets))
    total.backward()
    trainer.step(1)
    if step in (1, arguments.steps) or step % 20 == 0:
        print(f'step {step}: loss {class_loss.mean().asscalar():.3f} + {box_loss.mean().asscalar():.3f}')

# outside of training, GluonCV's network returns classes, scores and boxes, the best first
net.set_nms()
images, boxes, labels = batch(100, np.arange(1400, len(digits.target)))
classes, scores, found = (output[:, 0].asnumpy() for output in net(images))
overlap = np.diag(mx.nd.contrib.box_iou(mx.nd.array(found), boxes[:, 0]).asnumpy())
correct = (classes[:, 0] == labels[:, 0, 0].asnumpy()) & (overlap > 0.5)
print(f'{correct.sum()} of 100 test digits are found and classified correctly (mean IoU {overlap.mean():.2f})')
