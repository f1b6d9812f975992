"""Fine-tune published weights on a folder of images with a subfolder for each class.

    python scripts/examples/fine_tune.py photos/ --network cbam_resnet50 --epochs 5
    python scripts/examples/fine_tune.py            # without a folder: digits, with the classes even and odd

At the end, it prints the commands that do the same. Where the folder of results exists, as on a second run, another one
with a number is taken.
"""

import argparse
import itertools
from pathlib import Path

from gluon_cbam.data.datasets.digits import write_digits
from gluon_cbam.data.preparation.packing import pack
from gluon_cbam.data.records.recordio import RecordFile
from gluon_cbam.data.sources.images import open_images
from gluon_cbam.inference.network import load_network
from gluon_cbam.inference.prediction import predict
from gluon_cbam.inference.session import on_devices
from gluon_cbam.training import TrainConfig, train

# isort: split
import mxnet as mx

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument('images', nargs='?', help='folder with the class folders')
parser.add_argument('--network', default='cbamnet_tiny', help='with published weights: see cbam zoo list')
parser.add_argument('--epochs', type=int, default=2)
parser.add_argument('--lr', type=float, default=0.02)
parser.add_argument('--output', type=Path, default=Path('runs/fine_tuned'))
arguments = parser.parse_args()
folders = itertools.chain([arguments.output], (Path(f'{arguments.output}-{n}') for n in itertools.count(2)))
output, images = next(folder for folder in folders if not folder.exists()), arguments.images


def even_and_odd(folder):
    """Write a folder with scans of digits in two class folders."""
    write_digits(folder / 'digits')
    records = RecordFile(folder / 'digits' / 'train.rec')
    for number in range(0, len(records), 4):
        path = folder / 'images' / ('odd' if records.labels[number] % 2 else 'even') / f'{number}.png'
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(records[number].image)
    return folder / 'images'


# a fifth of each class is for validation; classes.txt gets the names of the folders
images = images or even_and_odd(output / 'example')
train_rec, val_rec = (str(part.path) for part in pack(images, output / 'data', shuffle=True, val_ratio=0.2))

# pretrained='': the published weights of the network; the last layer is newly initialized for the new classes
config = TrainConfig(
    network=arguments.network,
    pretrained='',
    data_train=train_rec,
    data_val=val_rec,
    output=str(output / 'run'),
    epochs=arguments.epochs,
    lr=arguments.lr,
    lr_mode='cosine',
    batch_size=16,
)
summary = train(config)
print(f'top-1 {summary["best"]["top1"]:.3f} on the validation images, after {summary["epochs"]} epochs')

# predictions of the trained network for some images
network = load_network(arguments.network, [mx.cpu()], params=summary['output'])
for prediction in predict(on_devices(network, [mx.cpu()]), open_images([str(images)], limit=3), top=2):
    print(f'{prediction.name}: ' + ', '.join(f'{score.label} {score.probability:.2f}' for score in prediction.top))

print(f"""The same with the command:
cbam data pack {images} {output}/data --shuffle --val-ratio 0.2
cbam train --network {arguments.network} --data-train {train_rec} --data-val {val_rec} \\
    --pretrained --epochs {arguments.epochs} --lr {arguments.lr} --lr-mode cosine --batch-size 16 --output {output}/run
cbam predict {images} --network {arguments.network} --params {output}/run""")
