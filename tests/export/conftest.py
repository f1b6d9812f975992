"""Networks with weights, and their exported files, that several tests share."""

import mxnet as mx
import pytest

from gluon_cbam.inference.network import load_network


@pytest.fixture(scope='session', autouse=True)
def hurried():
    """Speeds are measured, but not well."""
    from gluon_cbam.export import scoring

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scoring, '_TURNS', 1)
        patch.setattr(scoring, '_SECONDS', 0.0)
        patch.setattr(scoring, '_REST', 0.0)
        yield


@pytest.fixture(scope='session')
def digits_network():
    """The network on handwritten digits that comes with the package."""
    return load_network('cbamnet_tiny', [mx.cpu()], pretrained=True)


@pytest.fixture(scope='session')
def exported_digits(digits_network, tmp_path_factory):
    """Its files: a folder of digits.onnx, pixels.onnx, and the symbols ``digits`` and ``pixels``."""
    from gluon_cbam.export.exporting import Request, export
    from gluon_cbam.export.samples import samples

    folder = tmp_path_factory.mktemp('exported')
    for name, pixels in (('digits', False), ('pixels', True)):
        request = Request(digits_network, pixels=pixels)
        export(request, 'onnx', folder / f'{name}.onnx', samples(16))
        export(request, 'symbol', folder / name, samples(16))
    return folder


@pytest.fixture(scope='session')
def pictures():
    """(H, W, 3) uint8 images of several sizes."""
    from records import photo

    return [photo(40, 30, 1), photo(16, 16, 2), photo(20, 50, 3)]
