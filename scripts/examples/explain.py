"""Visualize the spatial attention of a network, and Grad-CAM for its two best classes.

    python scripts/examples/explain.py photo.jpg --network cbam_resnet50 --output photo.png
    python scripts/examples/explain.py              # a digit from the tests, and a network trained on digits

'cbam explain photo.jpg --network cbam_resnet50 --pretrained' draws such figures for many images.
"""

import argparse
from pathlib import Path

from gluon_cbam.data.decoding import decode
from gluon_cbam.explain import attention_maps, grad_cam, upsample_map
from gluon_cbam.inference.network import load_network
from gluon_cbam.tasks.classification.prediction import class_names

# isort: split
import matplotlib
import mxnet as mx
import numpy as np

matplotlib.use('Agg')
import matplotlib.pyplot as plt

SEVEN = Path(__file__).resolve().parents[2] / 'tests' / 'data' / 'seven.png'
parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument('image', nargs='?', type=Path, default=SEVEN)
parser.add_argument('--network', default='cbamnet_tiny', help='with published weights: see cbam zoo list')
parser.add_argument('--output', type=Path, default=Path('explained.png'))
arguments = parser.parse_args()

# the input of the network: cropped and resized as the weights need it
network = load_network(arguments.network, [mx.cpu()], pretrained=True)
seen = network.preprocessing.crop(decode(arguments.image.read_bytes(), str(arguments.image)))
images = mx.nd.array(network.preprocessing(seen)[None])
names = class_names(network)

panels = [('input of the network', None, None)]
for gates in attention_maps(network.net, images):
    strongest = np.argsort(-gates.channel[0])[:3] if gates.channel is not None else ()
    print(f'{gates.path}: strongest channels {", ".join(map(str, strongest))}')
    if gates.spatial is not None:
        panels.append((f'spatial gate of {gates.path}', gates.spatial[0], gates.grid))

logits = network.net(images).asnumpy()[0].astype(float)
probabilities = np.exp(logits - logits.max()) / np.exp(logits - logits.max()).sum()
for index in np.argsort(-logits)[:2]:
    activation = grad_cam(network.net, images, int(index))
    panels.append((f'Grad-CAM, {names[index]} ({probabilities[index]:.2f})', activation.maps[0], activation.grid))
    peak = np.unravel_index(upsample_map(activation.maps[0], seen.shape[:2], activation.grid).argmax(), seen.shape[:2])
    print(
        f'{names[index]}: probability {probabilities[index]:.4f}, peak of Grad-CAM in row {peak[0]}, column {peak[1]}'
    )

columns = min(len(panels), 5)
rows = -(-len(panels) // columns)
figure, axes = plt.subplots(rows, columns, figsize=(3.2 * columns, 3.2 * rows), squeeze=False, layout='constrained')
for axis in axes.flat:
    axis.axis('off')
for axis, (title, heat, grid) in zip(axes.flat, panels):
    axis.imshow(seen)
    axis.set_title(title, fontsize=9)
    if heat is not None:  # upsample_map() scales a map to the size of the image
        drawn = axis.imshow(upsample_map(heat, seen.shape[:2], grid), cmap='inferno', alpha=0.65)
        figure.colorbar(drawn, ax=axis, shrink=0.7)
figure.savefig(arguments.output, dpi=110)
print(f'{arguments.output}: {len(panels)} panels')
