"""CPU time of each augmentation for an image, on one thread; the table is in docs/speed.md.

Images are generated textures of 500 x 375 pixels, decoded beforehand; the result has 224 x 224. The augmentations take
turns, so that other load on the machine affects all of them, and the median of the rounds is printed.
"""

from __future__ import annotations

import json
import statistics
import time

import click
import cv2
import numpy as np

from gluon_cbam.benchmarks.textures import jpegs
from gluon_cbam.common.settings import default_of
from gluon_cbam.data.decoding import decode
from gluon_cbam.data.loading.augmentation import augment
from gluon_cbam.data.loading.preprocessing import Preprocessing
from gluon_cbam.tasks.image_augmentation import steps_of
from gluon_cbam.training.config.task_settings import settings_of

SIZE = 224
IMAGES = 20
# flags -> name of the augmentation, and settings of the steps that follow
ROWS = {
    '--augment none': ('none', {}),
    '--augment imagenet': ('imagenet', {}),
    '--augment imagenet_color': ('imagenet_color', {}),
    '--augment cifar': ('cifar', {}),
    '--rotation 15': ('imagenet', {'rotation': 15}),
    '--color-jitter 0.4': ('imagenet', {'color_jitter': [0.4]}),
    '--color-jitter 0.4,0.4,0.4,0.1': ('imagenet', {'color_jitter': [0.4, 0.4, 0.4, 0.1]}),
    '--aa rand-m9-mstd0.5-inc1': ('imagenet', {'aa': 'rand-m9-mstd0.5-inc1'}),
    '--aa rand-m9-p1': ('imagenet', {'aa': 'rand-m9-p1'}),
    '--aa trivialaugment': ('imagenet', {'aa': 'trivialaugment'}),
    '--cutout 56': ('imagenet', {'cutout': 56}),
    '--reprob 0.25': ('imagenet', {'reprob': 0.25}),
    '--reprob 0.25 --remode const': ('imagenet', {'reprob': 0.25, 'remode': 'const'}),
}
DECODING = 'decoding of a JPEG'


def measure(rounds):
    """The microseconds for an image of each row, in each round: name -> numbers."""
    encoded, preprocessing = jpegs(IMAGES), Preprocessing(SIZE)
    images = [decode(image, 'texture') for image in encoded]
    defaults = {name: default_of(entry) for name, entry in settings_of().items()}
    rows = {
        flags: (name, steps_of({**defaults, 'image_size': SIZE, **changes})) for flags, (name, changes) in ROWS.items()
    }
    times = {name: [] for name in (DECODING, *rows)}
    for number in range(rounds + 1):  # the first round warms up
        began = time.process_time()
        for image in encoded:
            decode(image, 'texture')
        times[DECODING].append(time.process_time() - began)
        for flags, (name, steps) in rows.items():
            rng = np.random.default_rng(number)
            began = time.process_time()
            for pixels in images:
                augment(name, pixels, preprocessing, rng, steps)
            times[flags].append(time.process_time() - began)
    return {name: [1e6 * each / IMAGES for each in of_rounds[1:]] for name, of_rounds in times.items()}


@click.command()
@click.option('--rounds', default=25, show_default=True, help='rounds of 20 images of each augmentation')
@click.option('--json', 'as_json', is_flag=True, help='print one JSON object')
def main(rounds, as_json):
    """Measure the CPU time of each augmentation."""
    cv2.setNumThreads(1)
    medians = {name: statistics.median(times) for name, times in measure(rounds).items()}
    if as_json:
        print(json.dumps(medians))
        return
    base = medians['--augment imagenet']
    for name, microseconds in medians.items():
        further = f', of which after imagenet {microseconds - base:.0f}' if ROWS.get(name, ('', {}))[1] else ''
        print(f'{name:34s} {microseconds:6.0f} us{further}')


if __name__ == '__main__':
    main()
