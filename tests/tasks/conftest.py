"""The second task, registered by one row."""

import sys
from pathlib import Path

import numpy as np
import pytest

from gluon_cbam.tasks import TASKS

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(autouse=True, scope='package')
def brightness_task():
    """A row of the table of tasks."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(TASKS, 'brightness', 'regression_task.task:Brightness')
        yield


@pytest.fixture(scope='package')
def brightness_data(tmp_path_factory, brightness_task):
    """The folder of train.rec, 96 images, and val.rec, 37 images."""
    from regression_task.task import write

    folder = tmp_path_factory.mktemp('brightness')
    random = np.random.RandomState(0)
    write(folder / 'train.rec', random.rand(96))
    write(folder / 'val.rec', random.rand(37))
    return folder
