"""Throughput of the training loader, compared with bare decoding and other loaders on the same file.

Without a file, 2,000 JPEGs are generated of 500 x 375 pixels (textures, about 110 kB each). Every loader
makes batches of random crops of 224 x 224 pixels with random flips; the passes of all loaders are interleaved, so
that other load on the machine affects all of them. The PyTorch row needs torch and Pillow; without them, it is
left out.
"""

from __future__ import annotations

import io
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path

import click
import numpy as np

import gluon_cbam  # noqa: F401 (prepares the import of mxnet)
from gluon_cbam.benchmarks.loader_workloads import decode_all
from gluon_cbam.benchmarks.textures import write_records
from gluon_cbam.compat.threads import usable_cpus
from gluon_cbam.data.decoding import image_threads
from gluon_cbam.data.loading.framing import random_crop_box
from gluon_cbam.data.loading.preprocessing import Preprocessing
from gluon_cbam.data.loading.training import TrainingData
from gluon_cbam.data.records.recordio import RecordFile, index_path

import mxnet as mx  # isort: skip

SIZE = 224


def bare_decoding(records, batch, threads):
    """``cv2.imdecode`` alone, of bytes in memory."""
    images = [np.frombuffer(records[number].image, np.uint8) for number in range(len(records))]

    def one_pass():
        with image_threads(threads) as pool:
            decode_all(images, pool, threads)

    return one_pass


def our_loader(records, batch, threads):
    data = TrainingData(records, batch, Preprocessing(SIZE), 'imagenet', seed=0, workers=threads)

    def one_pass():
        for images in data.epoch(0):
            images.images.wait_to_read()

    return one_pass


def mxnet_loader(records, batch, threads):
    """``ImageRecordIter``, which uses at most half the CPUs minus one, and at least one thread."""
    reader = mx.io.ImageRecordIter(
        path_imgrec=str(records.path), path_imgidx=str(index_path(records.path)), data_shape=(3, SIZE, SIZE),
        batch_size=batch, shuffle=True, preprocess_threads=threads, verbose=False, random_resized_crop=True,
        min_random_area=0.08, max_random_area=1.0, min_aspect_ratio=3 / 4, max_aspect_ratio=4 / 3, rand_mirror=True,
    )  # fmt: skip

    def one_pass():
        reader.reset()
        for images in reader:
            images.data[0].wait_to_read()

    return one_pass


def pytorch_loader(records, batch, threads):
    """A map-style data set that decodes with Pillow, in ``threads`` worker processes."""
    import torch
    from PIL import Image

    class Images(torch.utils.data.Dataset):
        def __len__(self):
            return len(records)

        def __getitem__(self, number):
            rng = np.random.default_rng(number)
            image = Image.open(io.BytesIO(records[number].image)).convert('RGB')
            top, left, height, width = random_crop_box(image.height, image.width, rng)
            box = (left, top, left + width, top + height)
            image = image.resize((SIZE, SIZE), Image.BILINEAR, box=box)
            if rng.random() < 0.5:
                image = image.transpose(Image.FLIP_LEFT_RIGHT)
            return torch.from_numpy(np.array(image))

    loader = torch.utils.data.DataLoader(
        Images(), batch, shuffle=True, num_workers=threads, drop_last=True, persistent_workers=True
    )

    def one_pass():
        for _ in loader:
            pass

    return one_pass


LOADERS = {
    'bare cv2.imdecode': bare_decoding,
    'gluon_cbam': our_loader,
    'mx.io.ImageRecordIter': mxnet_loader,
    'torch DataLoader, Pillow': pytorch_loader,
}


def measure(records, batch, threads, repeats):
    """The throughput of every loader: name -> images per second of each pass."""
    passes = {}
    for name, prepare in LOADERS.items():
        try:
            passes[name] = prepare(records, batch, threads)
        except ImportError as error:
            print(f'{name}: left out ({error})', file=sys.stderr)
    rates = {name: [] for name in passes}
    for number in range(repeats + 1):  # the first pass of each warms up
        for name, one_pass in passes.items():
            began = time.perf_counter()
            one_pass()
            if number:
                rates[name].append(len(records) / (time.perf_counter() - began))
    return rates


@click.command()
@click.argument('file', required=False, type=click.Path(exists=True))
@click.option('--threads', default=usable_cpus(), show_default=True, help='threads of each loader')
@click.option('--images', default=2000, show_default=True, help='number of generated images')
@click.option('--batch-size', default=50, show_default=True)
@click.option('--repeats', default=5, show_default=True, help='passes of each loader')
@click.option('--json', 'as_json', is_flag=True, help='print one JSON object')
def main(file, threads, images, batch_size, repeats, as_json):
    """Measure the throughput of training images from FILE, a .rec with its .idx, compared with other loaders."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(file or Path(folder) / 'textures.rec')
        if not file:
            write_records(path, images)
        records = RecordFile(path)
        rates = measure(records, batch_size, threads, repeats)
        size = path.stat().st_size / len(records)
    if as_json:
        print(json.dumps({'threads': threads, 'images': len(records), 'images_per_second': rates}))
        return
    medians = {name: statistics.median(values) for name, values in rates.items()}
    print(f'{len(records)} images of {size / 1000:.0f} kB, {threads} threads, {repeats} passes')
    print(f'{"":26s} images/s (median)    least     most   of bare decoding')
    for name, values in rates.items():
        share = medians[name] / medians['bare cv2.imdecode']
        print(f'{name:26s} {medians[name]:17.0f} {min(values):8.0f} {max(values):8.0f} {share:18.2f}')


if __name__ == '__main__':
    main()
