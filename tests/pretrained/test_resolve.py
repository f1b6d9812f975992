"""One record of a model: an argument overrides the card, the card the row of the model, the row the default."""

import hashlib
import json

import mxnet as mx
import pytest

import gluon_cbam
from gluon_cbam import get_model, weights
from gluon_cbam.common.errors import DataError, UsageError
from gluon_cbam.models.variants import VARIANTS
from gluon_cbam.pretrained.resolve import pretrained_of_flag, resolve

PREPROCESSING = {'image_size': 24, 'crop_ratio': 0.9, 'mean': [0.1, 0.2, 0.3], 'std': [0.4, 0.5, 0.6]}
NAMES = ['left', 'middle', 'right']


@pytest.fixture(scope='module')
def path(tmp_path_factory):
    """A parameter file with a card: other classes, options and preprocessing than the row's."""
    path = tmp_path_factory.mktemp('resolve') / 'net.params'
    net = get_model('cbamnet_tiny', classes=3, reduction=4, kernel_size=3)
    net.initialize()
    weights.save(
        net, path, network='cbamnet_tiny', classes=3, class_names=NAMES, preprocessing=PREPROCESSING,
        options={'reduction': 4, 'kernel_size': 3},
    )  # fmt: skip
    return path


def test_without_weights_the_row_and_the_default():
    model = resolve('cbam_resnet18')
    assert (model.name, model.variant) == ('cbam_resnet18', VARIANTS['cbam_resnet18'])
    assert (model.options, model.classes, model.class_names) == ({}, 1000, None)
    assert (model.preprocessing.image_size, model.preprocessing.crop_ratio) == (224, 0.875)
    assert (model.params, model.card, model.params_sha256, model.source) == (None, None, None, None)
    assert model.started_from() is None


def test_the_card_overrides_the_row(path):
    model = resolve('cbamnet_tiny', params=path)
    assert (model.options, model.classes, model.class_names) == ({'reduction': 4, 'kernel_size': 3}, 3, NAMES)
    assert model.preprocessing.as_dict() == {**PREPROCESSING, 'interpolation': 'bilinear'}
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert (model.params, model.card.classes, model.params_sha256) == (path, 3, digest)
    assert model.started_from() == {'source': str(path), 'sha256': digest}


def test_arguments_override_the_card(path):
    model = resolve('cbamnet_tiny', params=path, classes=5, options={'kernel_size': 5}, image_size=16)
    assert model.options == {'reduction': 4, 'kernel_size': 5}
    assert (model.classes, model.class_names) == (5, None), 'names of other classes'
    assert (model.preprocessing.image_size, model.preprocessing.crop_ratio) == (16, 0.9)
    assert model.preprocessing.mean == (0.1, 0.2, 0.3)


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'reductoin': 4}, "options: cbamnet_tiny has no option 'reductoin': did you mean reduction"),
        ({'pretrained': '/etc/passwd'}, 'options.pretrained is no option of a network'),
        ({'reduction': 'many'}, 'options .* do not fit cbamnet_tiny'),
        ({'reduction': 0}, 'options .* do not fit cbamnet_tiny'),
        ({'kernel_size': [7, 'x']}, 'options .* do not fit cbamnet_tiny'),
    ],
)
def test_options_of_a_card_that_do_not_fit_name_its_file(options, message, path, tmp_path):
    """They may come from anywhere: data, not usage."""
    copy = tmp_path / 'net.params'
    copy.write_bytes(path.read_bytes())
    card = json.loads(path.with_suffix('.json').read_text())
    copy.with_suffix('.json').write_text(json.dumps({**card, 'options': options}))
    with pytest.raises(DataError, match=f'net.json: .*{message}') as caught:
        get_model('cbamnet_tiny', pretrained=str(copy))
    assert '\n' not in str(caught.value)


def test_options_of_the_caller_are_usage(path):
    with pytest.raises(UsageError, match='reductoin'):
        get_model('cbamnet_tiny', pretrained=str(path), reductoin=3)


def test_a_path_is_the_same_as_params_or_as_pretrained(path):
    assert resolve('cbamnet_tiny', params=path) == resolve('cbamnet_tiny', pretrained=str(path))


def test_the_default_weights_are_named_by_their_tag():
    model = resolve('cbamnet_tiny', pretrained=True)
    assert model.source == model.card.tag
    assert model.source.startswith('cbamnet_tiny.')
    again = resolve('cbamnet_tiny', pretrained=model.source)
    assert again == model


def test_networks_with_all_parameters_or_for_fine_tuning(path):
    model = resolve('cbamnet_tiny', params=path)
    net = model.build()
    model.initialize(net)
    assert net.fc.weight.shape == (3, 128)
    other = resolve('cbamnet_tiny', params=path, classes=5)
    with pytest.raises(DataError, match='of the wrong shape: fc'):
        other.initialize(other.build())
    net = other.build()
    other.initialize(net, strict=False)
    assert net.fc.weight.data().shape == (5, 128)


def test_errors(path):
    for arguments, message in (
        (dict(name='cbamnet_tinny'), 'did you mean cbamnet_tiny'),
        (dict(name='cbamnet_tiny', options={'reductoin': 4}), "no option 'reductoin': did you mean reduction"),
        (dict(name='cbamnet_tiny', params=path, pretrained=True), 'exclude each other'),
        (dict(name='cbamnet_tiny', pretrained='no/such/file'), 'no parameter file'),
        (dict(name='cbamnet_tiny', crop_ratio=2.0), r'crop_ratio must be in \(0, 1\], got 2.0'),
    ):
        with pytest.raises(UsageError, match=message):
            resolve(**arguments)
    with pytest.raises(DataError, match='holds weights of cbamnet_tiny, not of cbamnet_small'):
        resolve('cbamnet_small', params=path)


@pytest.mark.parametrize(('flag', 'pretrained'), [(None, False), ('', True), ('a.tag', 'a.tag')])
def test_the_flag(flag, pretrained):
    assert pretrained_of_flag(flag) == pretrained


def test_old_names_warn():
    with pytest.warns(DeprecationWarning, match='gluon_cbam.models.get_model was renamed'):
        assert gluon_cbam.models.get_model is get_model
    with pytest.warns(DeprecationWarning, match='gluon_cbam.weights.card_beside was renamed'):
        assert weights.card_beside is weights.read_card


EMBEDDING = {'embedding': 8}


@pytest.mark.parametrize(
    ('name', 'options', 'image_size', 'size', 'head'),
    [
        ('cbamnet_tiny', EMBEDDING, 24, 24, 24),
        ('cbamnet_tiny', {**EMBEDDING, 'image_size': 24}, None, 24, 24),
        ('cbamnet_tiny', {**EMBEDDING, 'image_size': 24}, 24, 24, 24),
        ('cbamnet_tiny', EMBEDDING, None, 32, None),
        ('cbamnet_tiny', {}, 24, 24, None),
        ('modified_cbamnet18', {}, 96, 96, 96),
        ('modified_cbamnet18', {'image_size': 96}, None, 96, 96),
        ('modified_cbamnet18', {}, 112, 112, None),
    ],
)
def test_the_sizes_of_images_and_of_a_head_follow_each_other(name, options, image_size, size, head):
    model = resolve(name, options=options, image_size=image_size)
    assert (model.preprocessing.image_size, model.options.get('image_size')) == (size, head)
    net = model.build()
    net.check_input((1, 3, size, size))


def test_sizes_that_contradict_each_other_are_refused():
    with pytest.raises(UsageError, match='--image-size 32 and --option image_size=24 contradict each other'):
        resolve('cbamnet_tiny', options={**EMBEDDING, 'image_size': 24}, image_size=32)


@pytest.mark.parametrize(('name', 'options'), [('modified_cbamnet18', {}), ('cbamnet_tiny', EMBEDDING)])
def test_embeddings_are_of_square_images(name, options):
    message = f'{name} with an embedding takes square images, got image_size 112,96: give one number of pixels'
    with pytest.raises(UsageError, match=message):
        resolve(name, options=options, image_size=(112, 96))
    assert resolve(name, options=options, image_size=(64, 64)).preprocessing.image_size == 64


def test_networks_with_classes_take_any_shape(tmp_path):
    """Which their cards have, too."""
    model = resolve('cbamnet_tiny', classes=10, image_size=(24, 40))
    assert (model.preprocessing.shape, model.options) == ((24, 40), {})
    net = model.build()
    net.initialize()
    path, preprocessing = tmp_path / 'wide.params', model.preprocessing.as_dict()
    weights.save(net, path, network='cbamnet_tiny', classes=10, preprocessing=preprocessing)
    again = resolve(params=path)
    assert again.preprocessing == model.preprocessing and again.card.preprocessing['image_size'] == [24, 40]
    assert net(mx.nd.zeros((2, 3, 24, 40))).shape == (2, 10)


def test_a_head_with_weights_keeps_its_size(tmp_path):
    """Images of another size are refused by the network; a network with classes has no such head, and gets one."""
    for kind, options in (('head', {**EMBEDDING, 'image_size': 24}), ('classes', {})):
        net = get_model('cbamnet_tiny', **options)
        net.initialize()
        weights.save(
            net, tmp_path / f'{kind}.params', network='cbamnet_tiny', classes=8, options=options,
            preprocessing=PREPROCESSING,
        )  # fmt: skip
    kept = resolve('cbamnet_tiny', params=tmp_path / 'head.params', image_size=32)
    assert (kept.options['image_size'], kept.preprocessing.image_size) == (24, 32)
    with pytest.raises(ValueError, match='give --option image_size=32'):
        kept.build().check_input((1, 3, 32, 32))
    new = resolve('cbamnet_tiny', params=tmp_path / 'classes.params', options=EMBEDDING, image_size=16)
    assert (new.options['image_size'], new.preprocessing.image_size) == (16, 16)
