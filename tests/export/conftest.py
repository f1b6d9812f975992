"""Networks with weights, and their exported files, that several tests share."""

import mxnet as mx
import pytest

from gluon_cbam.inference.network import load_network


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
def digits_network():
    """The network on handwritten digits that comes with the package."""
    return load_network('cbamnet_tiny', [mx.cpu()], pretrained=True)


@pytest.fixture(scope='session')
def exported_digits(digits_network, tmp_path_factory):
    """Its files: a folder of digits.onnx, pixels.onnx, and the symbols ``digits`` and ``pixels``."""
    from gluon_cbam.export.exporter import export_network
    from gluon_cbam.export.request import ExportRequest
    from gluon_cbam.export.samples import sample_images

    folder = tmp_path_factory.mktemp('exported')
    for name, pixels in (('digits', False), ('pixels', True)):
        request = ExportRequest(digits_network, pixels=pixels)
        export_network(request, 'onnx', folder / f'{name}.onnx', sample_images(16))
        export_network(request, 'symbol', folder / name, sample_images(16))
    return folder


@pytest.fixture(scope='session')
def pictures():
    """(H, W, 3) uint8 images of several sizes."""
    from records import photo

    return [photo(40, 30, 1), photo(16, 16, 2), photo(20, 50, 3)]
