"""Networks with weights, and their exported files, that several tests share."""

import pytest


@pytest.fixture(scope='session', autouse=True)
def hurried():
    """Speeds are measured, but not well."""
    from gluon_cbam.export.runtime import evaluation

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(evaluation, '_REPETITIONS', 1)
        patch.setattr(evaluation, '_SECONDS', 0.0)
        patch.setattr(evaluation, '_PAUSE', 0.0)
        yield


@pytest.fixture(scope='session')
def pictures():
    """(H, W, 3) uint8 images of several sizes."""
    from records import photo

    return [photo(40, 30, 1), photo(16, 16, 2), photo(20, 50, 3)]
