"""The files of the store are known without their registry, with where they came from."""

import json

import pytest
from server import Reply
from shelf import own_card, their_card, write_registry, zipped

from gluon_cbam import list_models, zoo
from gluon_cbam.common.errors import CbamError

BODY = b'weights' * 1000
TAG = 'cbamnet_tiny.test'


@pytest.fixture
def address(server):
    """The URL of a registry with weights of ours, with options and a recipe."""
    card = own_card(BODY, 'files/a.params', recipe='epoch 3', parameters=5, class_names=list('abcdefghij'))
    server.put('/zoo/files/a.params', BODY)
    return server.put('/zoo/registry.yaml', json.dumps([card]).encode())


def listed(run, *options):
    """The cards of ``zoo list`` by their tags."""
    code, output, _ = run('list', '--json', *options)
    assert code == 0
    return {card['tag']: card for card in json.loads(output)['weights']}


def test_weights_are_found_without_their_registry(address, run, home, server):
    given = listed(run, '--registry', address)[TAG]
    assert (given['registry'], given['cached']) == (address, False)
    assert run('get', TAG, '--registry', address)[0] == 0
    server.put('/zoo/registry.yaml', Reply(status=404))

    assert listed(run, '--offline')[TAG] == {**given, 'cached': True}
    assert run('path', TAG)[1] == f'{home / TAG}.params\n'
    code, output, _ = run('list')
    heads, *rows = output.splitlines()
    (row,) = (row for row in rows if TAG in row)
    assert (heads.split()[-1], row.split()[-1]) == ('from', address)
    assert f'# registry: {address}' in run('info', TAG)[1]
    card = zoo.find(TAG)
    assert (card.recipe, card.parameters, card.registry, card.stored) == ('epoch 3', 5, address, True)
    assert card.original.addresses == (address.replace('registry.yaml', 'files/a.params'),)
    assert zoo.get(card, offline=True) == home / f'{TAG}.params'


def test_a_damaged_file_is_downloaded_again_from_where_it_was(address, run, home):
    assert run('get', TAG, '--registry', address)[0] == 0
    (home / f'{TAG}.params').write_bytes(b'damaged')
    assert run('get', TAG)[0] == 0
    assert (home / f'{TAG}.params').read_bytes() == BODY


def test_a_local_registry_is_remembered_by_its_path(run, home, tmp_path, monkeypatch):
    (tmp_path / 'a.params').write_bytes(BODY)
    write_registry(tmp_path / 'registry.json', own_card(BODY, 'a.params'))
    monkeypatch.chdir(tmp_path)
    assert run('get', TAG, '--registry', 'registry.json')[0] == 0
    monkeypatch.chdir('/')
    assert listed(run)[TAG]['registry'] == str(tmp_path / 'registry.json')
    (home / f'{TAG}.params').write_bytes(b'damaged')
    assert run('get', TAG)[0] == 0, 'relative to the registry'


def test_converted_weights_are_found_as_well(server, card, tmp_path):
    (tmp_path / 'converted').write_bytes(b'converted')
    address = server.put('/a.zip', zipped(**{'theirs.params': BODY}))
    theirs = card(their_card(BODY, address, archive='zip'))
    zoo.get(theirs, convert=lambda *_: tmp_path / 'converted')
    found = zoo.find(theirs.tag)
    assert (found.original, found.conversion, found.registry) == (theirs.original, 'imgclsmob', None)
    assert zoo.file_of(found).read_bytes() == b'converted'


def test_removed_weights_are_forgotten(address, run):
    assert run('get', TAG, '--registry', address)[0] == 0
    assert run('remove', TAG)[0] == 0
    assert TAG not in listed(run)
    code, _, error = run('path', TAG)
    assert (code, f'no weights are published for {TAG!r}' in error) == (2, True)
    assert run('get', TAG, '--registry', address)[0] == 0


def test_no_pattern_is_removed(address, run, home):
    assert run('get', TAG, '--registry', address)[0] == 0
    for name in ('*', 'cbamnet_tiny.*', '../models/cbamnet_tiny.test', '[c]bamnet_tiny.test'):
        assert run('remove', name)[0] == 2
    assert (home / f'{TAG}.params').exists()


@pytest.mark.parametrize('converted', [False, True])
def test_another_registry_with_other_bytes(converted, run, server, card, tmp_path):
    """Neither file may be taken for the other; the message names both registries."""
    first, second = tmp_path / 'first.json', tmp_path / 'second.json'
    if converted:
        tag = 'cbamnet_tiny.theirs'
        bodies = {path: zipped(**{'theirs.params': path.name.encode()}) for path in (first, second)}
        for path, body in bodies.items():
            url = server.put(f'/{path.name}', body)
            write_registry(path, their_card(path.name.encode(), url, archive='zip'))
        (tmp_path / 'made').write_bytes(b'made')
        zoo.get(zoo.find(tag, [str(first)]), convert=lambda *_: tmp_path / 'made')
    else:
        tag = TAG
        for path in (first, second):
            write_registry(path, own_card(path.name.encode(), server.put(f'/{path.name}', path.name.encode())))
        assert run('get', tag, '--registry', first)[0] == 0
    for command in ('get', 'path'):
        code, output, error = run(command, tag, '--registry', second)
        assert (code, output, error.count('\n')) == (4, '', 1)
        assert str(first) in error and str(second) in error and f'cbam zoo remove {tag}' in error
        assert run(command, tag, '--registry', first)[0] == 0
    assert listed(run, '--registry', second)[tag]['cached'] is False
    assert run('remove', tag)[0] == 0
    if not converted:
        assert run('get', tag, '--registry', second)[0] == 0


def test_the_same_bytes_from_another_registry(run, tmp_path):
    (tmp_path / 'a.params').write_bytes(BODY)
    for name in ('first', 'second'):
        registry = write_registry(tmp_path / f'{name}.json', own_card(BODY, 'a.params'))
        assert run('get', TAG, '--registry', registry)[0] == 0


def test_stored_weights_are_no_defaults(run, tmp_path):
    (tmp_path / 'a.params').write_bytes(BODY)
    before = zoo.find('cbamnet_tiny').tag
    registry = write_registry(tmp_path / 'a.json', {**own_card(BODY, 'a.params'), 'default': True})
    assert run('get', TAG, '--registry', registry)[0] == 0
    assert zoo.find('cbamnet_tiny').tag == before


def test_files_of_other_programs_are_left_out(home, run, address, caplog):
    assert run('get', TAG, '--registry', address)[0] == 0
    (home / 'resnet18_v1-a0666292.params').write_bytes(b'x')
    for name, text in (('a.b', '[]'), ('other', '{}'), ('c.d', '{"tag": "e.f"}')):
        (home / f'{name}.params').write_bytes(b'x')
        (home / f'{name}.json').write_text(text)
    assert [card.tag for card in zoo.known()] == [TAG]
    assert 'a.b.json: a card must be a mapping, got []: not used' in caplog.text


def test_models_with_weights(run, tmp_path):
    built_in = {card.network for card in zoo.cards()}
    assert set(list_models(pretrained=True)) == built_in
    assert list_models('se_*', pretrained=True) == ['se_resnet18', 'se_resnet50', 'se_resnet101']
    (tmp_path / 'a.params').write_bytes(BODY)
    card = own_card(BODY, 'a.params', tag='resnet152.mine')
    assert run('get', 'resnet152.mine', '--registry', write_registry(tmp_path / 'a.json', card))[0] == 0
    assert set(list_models(pretrained=True)) == {*built_in, 'resnet152'}
    assert set(list_models(pretrained=True)) < set(list_models())


def test_a_card_that_cannot_be_written_places_no_file(card, home, tmp_path, monkeypatch):
    """Both are complete before either has its name."""
    (tmp_path / 'a.params').write_bytes(BODY)

    def fails(card):
        raise OSError(28, 'No space left on device')

    monkeypatch.setattr(zoo.Card, 'as_dict', fails)
    with pytest.raises(CbamError, match='No space left on device'):
        zoo.place(card(own_card(BODY)), tmp_path / 'a.params', zoo.UpstreamFile(tmp_path / 'a.params', '', 0))
    assert [path.suffix for path in home.iterdir()] == ['.lock']
