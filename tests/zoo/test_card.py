"""Cards: required fields, and the built-in cards."""

import hashlib
import json
import re
from datetime import date, datetime
from urllib.parse import urlsplit

import numpy as np
import pytest
from shelf import PREPROCESSING, own_card, their_card

from gluon_cbam import get_model, zoo
from gluon_cbam.common.errors import CbamError, DataError
from gluon_cbam.data.loading.preprocessing import Preprocessing
from gluon_cbam.models.complexity import complexity
from gluon_cbam.zoo import Card, Published, registry

ENDLESS = []
ENDLESS.append(ENDLESS)
OWN = own_card(b'weights')
THEIRS = their_card(b'weights', 'https://host/a.zip', archive='zip')
BASE_CARD = {
    'network': 'cbamnet_tiny', 'classes': 10, 'sha256': hashlib.sha256(b'weights').hexdigest(), 'bytes': 7,
    'preprocessing': PREPROCESSING,
}  # fmt: skip


def changed(card, path, value):
    """A card with one field changed, or without it where the value is None."""
    first, dot, rest = path.partition('.')
    if dot:
        return {**card, first: changed(card.get(first, {}), rest, value)}
    return {name: item for name, item in {**card, first: value}.items() if item is not None}


@pytest.mark.parametrize(
    ('values', 'message'),
    [
        (None, 'a card must be a mapping, got None'),
        ([], 'a card must be a mapping, got []'),
        (changed(OWN, 'color', 'red'), 'unknown field color: known: network, classes, '),
        (changed(OWN, 'network', None), 'network is missing'),
        (changed(OWN, 'network', 3), 'network must be text, got 3'),
        (changed(OWN, 'classes', '10'), "classes must be an integer, got '10'"),
        (changed(OWN, 'classes', True), 'classes must be an integer, got True'),
        (changed(OWN, 'classes', 0), 'classes must be positive, got 0'),
        (changed(OWN, 'default', 'yes'), "default must be true or false, got 'yes'"),
        (changed(OWN, 'options', []), 'options must be a mapping, got []'),
        (changed(OWN, 'class_names', 'cat'), "class_names must be a list, got 'cat'"),
        (changed(OWN, 'class_names', ['cat', 3]), 'class_names[1] must be text, got 3'),
        (changed(OWN, 'class_names', list('abcdefghi')), 'class_names must be as many as the 10 classes, got 9'),
        (changed(OWN, 'classes', 10**9), 'classes must be in 0..16777216, got 1000000000'),
        (changed(OWN, 'classes', 10**400), 'classes must be an integer of at most'),
        (changed(OWN, 'options', {'pretrained': '/etc/passwd'}), 'options.pretrained is no option of a network, got'),
        (changed(OWN, 'options', {'root': '/'}), 'options.root is no option'),
        (changed(OWN, 'options', {'ctx': 1}), 'options.ctx is no option'),
        (changed(OWN, 'options', {'name': 'x'}), 'options.name is no option'),
        (changed(OWN, 'options', {'classes': 3}), 'options.classes is no option'),
        (changed(OWN, 'options', {'a b': 3}), 'options.a b is no option'),
        (changed(OWN, 'options', {'a': date(2020, 1, 1)}), 'options.a must be text, a number, true, false'),
        (changed(OWN, 'options', {'a': b'x'}), 'options.a must be text, a number'),
        (changed(OWN, 'options', {'a': {'b': 1}}), 'options.a must be a number, a short text, or a'),
        (changed(OWN, 'options', {'a': 'x' * 1000}), 'options.a must be a number, a short text'),
        (changed(OWN, 'options', {'a': [[1]]}), 'options.a must be a number, a short text'),
        (changed(OWN, 'options', {'a': ENDLESS}), 'options.a[0][0][0][0][0][0][0][0] must be nested at most 8 levels'),
        (changed(OWN, 'options', {'a': 10**400}), 'options.a must be an integer of at most'),
        (changed(OWN, 'preprocessing.mean', [10**400, 0, 0]), 'preprocessing.mean[0] must be an integer of at most'),
        (changed(OWN, 'preprocessing.mean', [1e300, 0, 0]), 'preprocessing.mean must be in -10000..10000, got'),
        (changed(OWN, 'preprocessing.std', [1e-50, 1, 1]), 'preprocessing.std must be in 0.0001..10000, got'),
        (changed(OWN, 'source', 'x' * 100_000), 'source must be text of at most 65536 characters'),
        (changed(OWN, 'bytes', 10**12), 'bytes must be at most 68719476736, got 1000000000000'),
        (changed(OWN, 'tag', 'cbamnet_tiny.' + 'x' * 300), "tag must be a plain name, got 'cbamnet_tiny.xxx"),
        (changed(OWN, 'tag', '../../evil'), "tag must be a plain name, got '../../evil'"),
        (changed(OWN, 'tag', 'resnet18.a'), "tag must begin with cbamnet_tiny., got 'resnet18.a'"),
        (changed(OWN, 'sha256', 'abc'), "sha256 must be 64 hex digits, got 'abc'"),
        (changed(OWN, 'sha256', None), 'sha256 and bytes are needed for a file that is not converted'),
        (changed(OWN, 'bytes', -1), 'bytes must be positive, got -1'),
        (changed(OWN, 'metrics.top1', 79.4), 'metrics.top1 must be an accuracy in 0..1, got 79.4'),
        (changed(OWN, 'metrics.top1', float('nan')), 'metrics.top1 must be a number, got nan'),
        (changed(OWN, 'metrics.measured_by', 'me'), "metrics.measured_by must be publisher or verified, got 'me'"),
        (changed(THEIRS, 'metrics.measured_by', 'verified'), 'metrics.measured_by needs the sha256'),
        (changed(OWN, 'preprocessing.mean', [0.5]), 'preprocessing.mean and std must have one value or three each'),
        (changed(OWN, 'preprocessing.std', [0, 1, 1]), 'preprocessing.std must be positive'),
        (changed(OWN, 'preprocessing.crop_ratio', 1.5), 'preprocessing.crop_ratio must be in (0, 1], got 1.5'),
        (changed(OWN, 'preprocessing.interpolation', 'cubic'), 'preprocessing.interpolation must be bilinear'),
        (changed(OWN, 'original.name', 'a/b.params'), "original.name must be a plain file name, got 'a/b.params'"),
        (changed(OWN, 'original.sha256', '0' * 64), 'original.sha256 of a file that is not converted'),
        (changed(THEIRS, 'original.sha1', 'ABC'), "original.sha1 must be 40 hex digits, got 'ABC'"),
        (changed(THEIRS, 'original.archive', 'rar'), "original.archive must be none or zip, got 'rar'"),
        (changed(THEIRS, 'original.member', '../a'), "original.member must be a path inside the zip, got '../a'"),
        (changed(THEIRS, 'original.conversion', 'x'), 'original.conversion must be one of none, official, imgclsmob'),
        (changed(THEIRS, 'original.addresses', 'http://a/b'), "original.addresses must be a list, got 'http://a/b'"),
    ],
)  # fmt: skip
def test_damaged_cards(values, message):
    with pytest.raises(CbamError) as caught:
        Published.from_dict(values, 'card.yaml')
    assert re.match(f'card.yaml: (cbamnet_tiny.test: )?{re.escape(message)}', str(caught.value)), caught.value
    assert (caught.value.exit_code, '\n' in str(caught.value)) == (4, False)


ODD = [
    None, True, -1, 2**63, 10**400, 1e308, float('inf'), float('nan'), '', 'x' * 10**6, '\x1b[2J', '\ud800', b'x', [],
    [[]], [None] * 10, ENDLESS, {}, {'a': ENDLESS}, {1: 2}, date(2020, 1, 1), datetime(2020, 1, 1), {1, 2}, object(),
]  # fmt: skip


def paths_of(values, path=()):
    """The paths of all values in a mapping."""
    for name, value in values.items():
        yield (*path, name)
        if isinstance(value, dict):
            yield from paths_of(value, (*path, name))


def test_any_value_of_any_field_is_plain_or_refused():
    """What is accepted can be written, in bounded length; what is refused names the file in one line."""
    card = {
        **OWN, 'options': {'a': 1}, 'class_names': list('abcdefghij'), 'licence': 'x', 'citation': 'x', 'macs': 1,
        'parameters': 1, 'task': 'x', 'original': {**OWN['original'], 'addresses': ['a']},
        'metrics': {'top1': 0.5, 'figures': {'a': 1.0}, 'records': 1},
    }  # fmt: skip
    refused = 0
    for path in paths_of(card):
        for odd in ODD:
            try:
                made = Published.from_dict(changed(card, '.'.join(path), odd), 'card.yaml')
            except DataError as error:
                refused += 1
                assert str(error).startswith('card.yaml: ') and '\n' not in str(error) and len(str(error)) < 1000
            else:
                assert len(json.dumps(made.as_dict(), allow_nan=False)) < 100_000, (path, odd)
    assert refused > 400


@pytest.mark.parametrize(
    'url',
    ['http://[::1', 'http://a:port/b', 'http://a:99999/b', 'http://a..b/c', f'http://{"a" * 70}.org/b', 'http://a/\n',
     'x' * 5000, 'http://', 'http:///a', 'http://a/b c', '//[', 'http://a\x00/b', 'http://me@host/a', 'javascript:a'],
)  # fmt: skip
def test_addresses_that_no_request_can_have(url):
    with pytest.raises(CbamError, match='card.yaml: original.addresses must be http, https or relative') as caught:
        Published.from_dict(changed(OWN, 'original.addresses', [url]), 'card.yaml')
    assert caught.value.exit_code == 4


@pytest.mark.parametrize('url', ['http://[::1]:8000/a', 'https://h\u00f6st.org/a?b=c#d', 'http://a.b./c', 'a/b.params'])
def test_addresses_of_files(url):
    assert Published.from_dict(changed(OWN, 'original.addresses', [url]), 'x').original.addresses == (url,)


def test_a_card_that_expands_to_gigabytes_is_an_error():
    bomb = 'x' * 100
    for _ in range(40):
        bomb = [bomb] * 10
    with pytest.raises(CbamError) as caught:
        Published.from_dict({**OWN, 'class_names': bomb}, 'card.yaml')
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize('path', ['sha256', 'bytes', 'network', 'classes', 'preprocessing'])
def test_a_card_next_to_a_file_needs_hash_and_size(path):
    with pytest.raises(CbamError, match=f'a.json: {path}'):
        Card.from_dict(changed(BASE_CARD, path, None), 'a.json')


@pytest.mark.parametrize(('kind', 'values'), [(Card, BASE_CARD), (Published, OWN), (Published, THEIRS)])
def test_round_trip(kind, values):
    card = kind.from_dict(values, 'x')
    assert kind.from_dict(card.as_dict(), 'x') == card


def test_fields_of_a_run_are_not_changed():
    """The state of a run may contain null."""
    card = Card.from_dict({**BASE_CARD, 'training': {'best': None, 'epoch': 3}}, 'x')
    assert card.as_dict()['training'] == {'best': None, 'epoch': 3}


SHIPPED = {card.tag: card for card in registry.cards()}
CONVERTED = [tag for tag, card in SHIPPED.items() if card.conversion != 'none']


def size_of_params(net):
    """The size of the file that ``save_parameters`` writes: a header, names, and arrays with their shapes."""
    size = 8 + 8 + 8 + 8
    for name, parameter in net._collect_params_with_prefix().items():
        size += 8 + len(name) + 4 + 4 + 4 + 8 * len(parameter.shape) + 8 + 4 + 4 * int(np.prod(parameter.shape))
    return size


def test_the_size_of_a_parameter_file(tmp_path):
    net = get_model('cbamnet_tiny', classes=10)
    net.initialize()
    net.save_parameters(str(tmp_path / 'a.params'))
    assert (tmp_path / 'a.params').stat().st_size == size_of_params(net)


@pytest.mark.parametrize('network', sorted({card.network for card in SHIPPED.values()}))
def test_a_card_matches_its_network(network):
    for card in (card for card in SHIPPED.values() if card.network == network):
        net = get_model(network, classes=card.classes, **card.options)
        preprocessing = Preprocessing.from_dict(card.preprocessing)
        counted = complexity(net, (1, preprocessing.channels, *preprocessing.shape))
        assert (card.parameters, card.macs) == (counted.parameters, counted.macs)
        assert card.conversion == 'none' or card.bytes == size_of_params(net)


@pytest.mark.parametrize('tag', SHIPPED)
def test_a_built_in_card_is_complete(tag):
    card = SHIPPED[tag]
    message = card.as_dict()
    for name in ('metrics', 'parameters', 'macs', 'bytes', 'source', 'licence', 'citation'):
        assert message.get(name), name
    assert card.recipe or card.command
    assert card.metrics.top1 and card.metrics.data
    if card.sha256 is None:
        assert card.metrics.measured_by == 'publisher'
    if card.conversion == 'none':
        assert zoo.cached(card)


@pytest.mark.parametrize('tag', [tag for tag in CONVERTED if SHIPPED[tag].conversion == 'imgclsmob'])
def test_names_of_imgclsmob_agree(tag):
    """{name}-{top-5 error x 100}-{first 8 of the sha1}.params, in a zip of that name."""
    card = SHIPPED[tag]
    (address,) = card.original.addresses
    name, error, prefix = re.fullmatch(r'(\w+)-(\d{4})-(\w{8})\.params', card.original.name).groups()
    assert card.original.sha1.startswith(prefix)
    assert round(1 - card.metrics.top5, 4) == int(error) / 10_000
    assert name.replace('seresnet', 'se_resnet').rstrip('b') == card.network
    assert re.fullmatch(
        rf'https://github\.com/osmr/imgclsmob/releases/download/v0\.0\.\d+/{re.escape(card.original.name)}\.zip',
        address,
    )
    assert card.recipe.endswith(address[: -len('.zip')] + '.log')
    assert (card.original.archive, card.original.member) == ('zip', card.original.name)


@pytest.mark.parametrize('tag', ['cbam_resnet50.official_in1k', 'bam_resnet50.official_in1k'])
def test_the_official_files_have_no_hash(tag):
    card = SHIPPED[tag]
    assert (card.hashes, card.conversion, card.original.archive) == ({}, 'official', 'none')
    assert urlsplit(card.original.addresses[0]).hostname == 'drive.usercontent.google.com'


def test_every_file_has_one_card():
    """imgclsmob's files in weights.md, and one default for each network."""
    assert len(CONVERTED) == 14
    hashes = [card.original.sha1 for card in SHIPPED.values() if card.original and card.original.sha1]
    assert len(set(hashes)) == len(hashes) == 12
    defaults = [card.network for card in SHIPPED.values() if card.default]
    assert sorted(defaults) == sorted({card.network for card in SHIPPED.values()})


def test_old_names_warn():
    with pytest.warns(DeprecationWarning, match='zoo.ZooError was renamed to gluon_cbam.common.errors.CbamError'):
        assert zoo.ZooError is CbamError
    with pytest.warns(DeprecationWarning, match='UpstreamFile'):
        assert zoo.Original is zoo.UpstreamFile
    with pytest.warns(DeprecationWarning, match='UpstreamFile.url'):
        assert zoo.UpstreamFile(None, '', 0, 'http://a').address == 'http://a'
