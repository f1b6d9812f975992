"""Small data and networks, for runs of a second."""

import os
import shutil
from contextlib import contextmanager
from pathlib import Path

import mxnet as mx
import numpy as np
import pytest

from gluon_cbam.attention.blocks import CheckedBlock
from gluon_cbam.data.records.recordio import RecordFile, RecordWriter
from gluon_cbam.pretrained.resolve import ResolvedModel
from gluon_cbam.training.logging import curves


class Small(CheckedBlock):
    """A small network with every kind of state: weights, running statistics and, with ``dropout``, random numbers."""

    dropout = 0.0

    def __init__(self, name, classes):
        super().__init__()
        self.conv = mx.gluon.nn.Conv2D(4, 3, strides=2, in_channels=3)
        self.norm = mx.gluon.nn.BatchNorm(in_channels=4)
        self.drop = mx.gluon.nn.Dropout(self.dropout)
        self.fc = mx.gluon.nn.Dense(classes, in_units=36)

    def hybrid_forward(self, F, x):
        return self.fc(self.drop(self.norm(self.conv(x))))


@pytest.fixture
def small_network(monkeypatch):
    """Every network is a Small one, and no picture is drawn, which takes longer than the runs; returns the class."""

    class Network(Small):
        pass

    monkeypatch.setattr(ResolvedModel, 'build', lambda model: Network(model.name, model.classes))
    monkeypatch.setattr(curves, 'draw', lambda *arguments: None)
    return Network


@pytest.fixture(scope='session')
def few_digits(digits, tmp_path_factory):
    """The folder of 96 training and 48 validation records: with 8 per step, 12 steps per epoch."""
    folder = tmp_path_factory.mktemp('few_digits')
    for name, count in (('train.rec', 96), ('val.rec', 48)):
        records = RecordFile(digits / name)
        with RecordWriter(folder / name) as writer:
            for number in range(0, len(records), len(records) // count)[:count]:
                writer.write(records[number].labels, records[number].image)
    (folder / 'classes.txt').write_text((digits / 'classes.txt').read_text())
    return folder


@pytest.fixture
def settings(few_digits, tmp_path):
    return {
        'network': 'cbamnet_tiny', 'data_train': str(few_digits / 'train.rec'), 'data_val': str(few_digits / 'val.rec'),
        'output': str(tmp_path / 'run'), 'image_size': 8, 'batch_size': 8, 'epochs': 2, 'log_interval': 5, 'lr': 0.05,
        'lr_mode': 'cosine', 'workers': 1,
    }  # fmt: skip


@pytest.fixture
def disks_before_each_write(tmp_path):
    """Copies of a directory before each call that renames, removes or syncs files in it.

    They are what a process leaves that is killed there. with disks_before_each_write(folder) as a list that grows.
    """

    @contextmanager
    def watch(folder):
        copies = []

        def copying(call):
            def copy_and_call(*arguments, **options):
                target = tmp_path / 'disks' / f'{len(copies):03d}'
                if folder.exists():
                    shutil.copytree(folder, target)
                    copies.append(target)
                return call(*arguments, **options)

            return copy_and_call

        with pytest.MonkeyPatch.context() as patch:
            for owner, name in ((os, 'replace'), (os, 'fsync'), (Path, 'unlink')):
                patch.setattr(owner, name, copying(getattr(owner, name)))
            yield copies

    return watch


@pytest.fixture(scope='session')
def few(digits, tmp_path_factory):
    """A function of labels that gives a folder with those digits alone, 240 in train.rec and 60 in val.rec."""
    folders = {}

    def of(*labels):
        if labels not in folders:
            folders[labels] = tmp_path_factory.mktemp('few')
            for name, count in (('train', 240), ('val', 60)):
                _copy(RecordFile(digits / f'{name}.rec'), labels, count, folders[labels] / f'{name}.rec')
        return folders[labels]

    return of


def _copy(source, labels, count, path):
    wanted = np.flatnonzero(np.isin(source.labels, labels))
    with RecordWriter(path) as writer:
        for number in wanted[:: max(1, len(wanted) // count)][:count]:
            record = source[int(number)]
            writer.write(record.labels, record.image)
