"""An encoder without mxnet: its embeddings are a fixed projection of the pixels, which tests compute by hand."""

import sys
from pathlib import Path

import numpy as np

from gluon_cbam.data.loading.preprocessing import Preprocessing
from gluon_cbam.inference.session import Session
from gluon_cbam.recognition.encoder import _encoder
from gluon_cbam.tasks import get_task

SIZE, DIMENSION = 8, 6
MATRIX = np.random.RandomState(5).randn(3 * SIZE * SIZE, DIMENSION).astype(np.float32)


def embedding(pixels, flip=True):
    """The embedding of (SIZE, SIZE, 3) uint8 by hand."""
    views = [pixels, pixels[:, ::-1]] if flip else [pixels]
    return sum((view.transpose(2, 0, 1).reshape(-1) / 255.0) @ MATRIX.astype(np.float64) for view in views)


def stub_encoder(flip=True, batch_size=4, params_sha256='a' * 64, outputs=lambda rows: rows @ MATRIX):
    """An encoder; ``outputs``: from the rows of a batch to their embeddings."""
    preprocessing = Preprocessing(SIZE, 1.0, (0, 0, 0), (1, 1, 1))

    def start(images):
        found = outputs(images.reshape(len(images), -1))
        return lambda: [found]

    session = Session('stub', DIMENSION, None, 1, preprocessing.normalize, start, get_task(), preprocessing)
    return _encoder(session, flip, params_sha256, None, batch_size, 2)


def write_people(folder, people=4, images=5, size=SIZE, noise=40):
    """Folders of persons with similar images; returns their paths in natural order."""
    import cv2

    random = np.random.RandomState(people)
    paths = []
    for person in range(people):
        (folder / f'person{person}').mkdir(parents=True)
        base = random.randint(0, 256, (size, size, 3))
        for number in range(images):
            path = folder / f'person{person}' / f'{number}.png'
            pixels = np.clip(base + random.randint(-noise, noise + 1, base.shape), 0, 255)
            assert cv2.imwrite(str(path), pixels.astype(np.uint8))
            paths.append(path)
    return paths


def main(folder, output, pause):
    """Embed a folder in a process that a test stops: it prints each image, and waits for a line after some."""
    from gluon_cbam.common.errors import Interrupted
    from gluon_cbam.data.sources.images import open_images
    from gluon_cbam.recognition.embedding_run import embed_images

    def said(encoded):
        for each in encoded:
            left[0] -= 1
            if left[0] == 0:
                print('waiting', flush=True)
                sys.stdin.readline()
            yield each

    left = [int(pause)]
    try:
        embed_images(stub_encoder(), open_images([folder]), Path(output), progress=said, part_images=8)
    except Interrupted as stopped:
        print(stopped, flush=True)
        sys.exit(stopped.exit_code)


if __name__ == '__main__':
    main(*sys.argv[1:])
