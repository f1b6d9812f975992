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


class ModifiedGolden:
    """A ``modified_*`` file: arrays under the symbol's names, pixels, embeddings and number of arguments' values."""

    def __init__(self, name):
        with np.load(FOLDER / f'modified_{name}.npz') as file:
            arguments, auxiliary = (json.loads(str(file[key])) for key in ('parameters', 'auxiliary'))
            shape = file['input_shape']
            self.output = file['output']
            self.count = int(file['count'])
        self.arguments = [key for key, _ in arguments]
        self.auxiliary = [key for key, _ in auxiliary]
        self.arrays = {key: recipe.fill(key, shape) for key, shape in (*arguments, *auxiliary)}
        self.input = np.random.RandomState(7).randint(0, 256, shape).astype('float32')


def keras_tiny():
    """The arrays of ``keras_cbamnet_tiny.npz``, and the weights among them under their own names."""
    with np.load(FOLDER / 'keras_cbamnet_tiny.npz') as file:
        arrays = {key: file[key] for key in file.files}
    return arrays, {key[2:]: value for key, value in arrays.items() if key.startswith('w:')}


def official_bam(channels, hidden):
    """Random arrays under the names and shapes of the official BAM's state dict, which has no golden file."""
    fc, conv = 'channel_att.gate_c.gate_c_', 'spatial_att.gate_s.gate_s_'
    weights = {
        f'{fc}fc_0': (hidden, channels),
        f'{fc}fc_final': (channels, hidden),
        f'{conv}conv_reduce0': (hidden, channels, 1, 1),
        f'{conv}conv_di_0': (hidden, hidden, 3, 3),
        f'{conv}conv_di_1': (hidden, hidden, 3, 3),
        f'{conv}conv_final': (1, hidden, 1, 1),
    }
    shapes = {f'{name}.weight': shape for name, shape in weights.items()}
    shapes.update({f'{name}.bias': shape[:1] for name, shape in weights.items()})
    for norm in (f'{fc}bn_1', f'{conv}bn_reduce0', f'{conv}bn_di_0', f'{conv}bn_di_1'):
        shapes.update({f'{norm}.{part}': (hidden,) for part in ('weight', 'bias', 'running_mean', 'running_var')})
    return {name: recipe.fill(name, shape) for name, shape in shapes.items()}
