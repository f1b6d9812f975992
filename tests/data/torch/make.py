"""Writes the files of this folder with torch, or of another one: python make.py [FOLDER]."""

import collections
import sys
from pathlib import Path

import numpy as np

BASE = np.arange(24, dtype='float32').reshape(4, 6)
VALUES = {
    'module.transposed.weight': BASE.T,
    'module.part.weight': BASE[1:3, 2:5],
    'module.bn.num_batches_tracked': np.array(7),
    'half': np.array([0.5, -2, 65504], 'float16'),
    'double': np.array([1 / 3]),
    'bfloat16': np.array([0.5, -2, 3.00405527047391e38], 'float32'),  # as the type rounds 3e38
    'bool': np.array([True, False]),
    'none': np.zeros((0, 3), 'float32'),
}


def state_dict(torch):
    """The values as tensors; the first two share a storage."""
    base = torch.tensor(BASE)
    tensors = {name: torch.tensor(value) for name, value in VALUES.items()}
    tensors['module.transposed.weight'] = torch.nn.Parameter(base.t())
    tensors['module.part.weight'] = base[1:3, 2:5]
    tensors['bfloat16'] = tensors['bfloat16'].bfloat16()
    tensors = collections.OrderedDict(tensors)
    tensors._metadata = {'': {'version': 1}}
    return tensors


def checkpoint(torch):
    """A checkpoint as a training script of 2018 saves it."""
    optimizer = {
        'state': {1: {'momentum_buffer': torch.ones(2)}},
        'param_groups': [{'lr': 0.1, 'betas': (0.9, 0.99), 'nesterov': False, 'weight_decay': None, 'params': [1]}],
    }
    return {
        'epoch': 100, 'arch': 'resnet', 'best_prec1': torch.tensor(77.6), 'optimizer': optimizer,
        'state_dict': state_dict(torch),
    }  # fmt: skip


def write(folder, torch):
    """Write the files."""
    torch.save(checkpoint(torch), folder / 'zip.pth')
    torch.save(checkpoint(torch), folder / 'legacy.pth', _use_new_zipfile_serialization=False)
    torch.save(checkpoint(torch), folder / 'protocol4.pth', pickle_protocol=4)
    torch.save(torch.nn.DataParallel(torch.nn.Linear(1, 1)), folder / 'module.pth')


if __name__ == '__main__':
    import torch

    write(Path(sys.argv[1]) if sys.argv[1:] else Path(__file__).parent, torch)
