"""What the tests of data sets of arrays share."""

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def stored():
    """Reads a record file with PIL -> (images, labels)."""
    import io

    from gluon_cbam.data.records.recordio import RecordFile

    def read(path):
        records = RecordFile(path)
        images = [np.asarray(Image.open(io.BytesIO(records[number].image))) for number in range(len(records))]
        return images, records.labels.astype(int).tolist()

    return read
