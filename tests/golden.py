"""The reference outputs in tests/data/golden."""

import importlib.util
import json
from pathlib import Path

import numpy as np

FOLDER = Path(__file__).parent / 'data' / 'golden'

_spec = importlib.util.spec_from_file_location('recipe', FOLDER / 'recipe.py')
recipe = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(recipe)


class Golden:
    """An ``official_*`` file: arrays under the source's names, input, output and number of trainable parameters."""

    def __init__(self, name):
        with np.load(FOLDER / f'{name}.npz') as file:
            self.arrays = {key: recipe.fill(key, shape) for key, shape in json.loads(str(file['parameters']))}
            self.input = recipe.images(file['input_shape'])
            self.output = file['output']
            self.count = int(file['count'])


def keras_tiny():
    """The arrays of ``keras_cbamnet_tiny.npz``, and the weights among them under their own names."""
    with np.load(FOLDER / 'keras_cbamnet_tiny.npz') as file:
        arrays = {key: file[key] for key in file.files}
    return arrays, {key[2:]: value for key, value in arrays.items() if key.startswith('w:')}
