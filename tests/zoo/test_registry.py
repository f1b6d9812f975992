"""Built-in and user registries."""

import json
from pathlib import Path

import pytest
import yaml
from server import Reply
from shelf import own_card, their_card, write_registry

from gluon_cbam import zoo
from gluon_cbam.common.errors import CbamError

MINE = own_card(b'mine', 'files/mine.params', tag='cbam_resnet50.acme')
OTHER = own_card(b'other', tag='cbamnet_tiny.acme')


@pytest.mark.parametrize('kind', ['one card', 'a list', 'a folder', 'yaml'])
def test_formats_of_a_registry(kind, tmp_path):
    path = tmp_path / 'registry'
    if kind == 'a folder':
        path.mkdir()
        (path / 'a.yaml').write_text(yaml.safe_dump(MINE))
        (path / 'b.json').write_text(json.dumps(OTHER))
        (path / 'weights.params').write_bytes(b'\x00')
    elif kind == 'yaml':
        path.write_text(yaml.safe_dump([MINE, OTHER]))
    else:
        path.write_text(json.dumps([MINE, OTHER] if kind == 'a list' else MINE))
    built_in = [card.tag for card in zoo.cards()]
    mine = ['cbam_resnet50.acme'] if kind == 'one card' else ['cbam_resnet50.acme', 'cbamnet_tiny.acme']
    assert [card.tag for card in zoo.cards(registries=[str(path)])] == mine + built_in


def test_find(tmp_path, monkeypatch):
    assert zoo.find('cbam_resnet50').tag == 'cbam_resnet50.imgclsmob_in1k'
    assert zoo.find('cbam_resnet50.official_in1k').conversion == 'official'
    assert {card.network for card in zoo.cards('bam_resnet50')} == {'bam_resnet50'}
    for name, near in (('cbam_resnet5', 'cbam_resnet50'), ('resnet50.imgclsmob_in2k', 'resnet50.imgclsmob_in1k')):
        with pytest.raises(CbamError, match=f"no weights are published for '{name}': known: .*{near}") as caught:
            zoo.find(name)
        assert caught.value.exit_code == 2

    registry = write_registry(tmp_path / 'a.json', MINE, OTHER)
    assert zoo.find('cbam_resnet50', [registry]).tag == 'cbam_resnet50.imgclsmob_in1k'
    monkeypatch.setenv('CBAM_ZOO_REGISTRY', registry)
    assert zoo.find('cbam_resnet50.acme').source == 'a test'
    write_registry(tmp_path / 'a.json', {**MINE, 'default': True}, OTHER)
    assert zoo.find('cbam_resnet50').tag == 'cbam_resnet50.acme'


def test_networks_without_a_default(tmp_path):
    one = own_card(b'a', tag='resnet152.a')
    registry = write_registry(tmp_path / 'a.json', one)
    assert zoo.find('resnet152', [registry]).tag == 'resnet152.a'
    write_registry(tmp_path / 'a.json', one, own_card(b'b', tag='resnet152.b'))
    with pytest.raises(CbamError, match='no default: choose one of resnet152.a, resnet152.b') as caught:
        zoo.find('resnet152', [registry])
    assert caught.value.exit_code == 2


@pytest.mark.parametrize('separator', [',', ':'])
def test_several_in_the_environment(separator, server, tmp_path, monkeypatch):
    files = [write_registry(tmp_path / f'{card["tag"]}.json', card) for card in (MINE, OTHER)]
    third = own_card(b'3', tag='resnet152.acme')
    address = server.put('/registry.json', json.dumps(third).encode())
    monkeypatch.setenv('CBAM_ZOO_REGISTRY', separator.join([*files, address]))
    assert [card.tag for card in zoo.cards()][:3] == [MINE['tag'], OTHER['tag'], third['tag']]


def test_clashes_name_both(tmp_path):
    first, second = (write_registry(tmp_path / f'{name}.json', MINE) for name in 'ab')
    with pytest.raises(CbamError, match=f"{second}: the tag 'cbam_resnet50.acme' is taken by {first}"):
        zoo.cards(registries=[first, second])
    built_in = their_card(b'x', tag='cbam_resnet50.imgclsmob_in1k')
    with pytest.raises(CbamError, match=r'cards/cbam_resnet50.imgclsmob_in1k.yaml: the tag .* is taken by .*c.json'):
        zoo.cards(registries=[write_registry(tmp_path / 'c.json', built_in)])
    two = [{**own_card(b'a', tag=f'resnet152.{name}'), 'default': True} for name in 'ab']
    with pytest.raises(CbamError, match='d.json: the default of resnet152 is already resnet152.a'):
        zoo.cards(registries=[write_registry(tmp_path / 'd.json', *two)])


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('{', 'neither YAML nor JSON'),
        ('a: b: c', 'neither YAML nor JSON, line 1'),
        ('hello', "a card must be a mapping, got 'hello'"),
        ('!!python/object/apply:os.system ["true"]', 'neither YAML nor JSON, line 1'),
        ('', 'a card must be a mapping, got None'),
    ],
)
def test_damaged_registries(text, message, tmp_path, run):
    path = tmp_path / 'registry.yaml'
    path.write_text(text)
    code, output, error = run('list', '--registry', path)
    assert (code, output, error.count('\n')) == (4, '', 1)
    assert error.startswith(f'cbam: {path}: {message}')


def test_a_missing_registry(run):
    code, _, error = run('list', '--registry', 'none.yaml')
    assert (code, error) == (2, "cbam: no registry 'none.yaml': give a file, a folder or an http URL\n")


def test_a_remote_registry(server, home, run):
    """Relative URLs are resolved against it; offline, the latest copy is read."""
    address = server.put('/zoo/registry.json', json.dumps([MINE]).encode())
    server.put('/zoo/files/mine.params', b'mine')
    code, path, _ = run('get', 'cbam_resnet50.acme', '--registry', address)
    assert (code, Path(path.strip()).read_bytes()) == (0, b'mine')
    asked = len(server.requests)
    server.put('/zoo/registry.json', Reply(status=404))
    assert run('path', 'cbam_resnet50.acme', '--registry', address)[0] == 5
    assert run('path', 'cbam_resnet50.acme', '--registry', address, '--offline')[0] == 0
    assert len(server.requests) == asked + 1
    code, _, error = run('list', '--registry', address + '2', '--offline')
    assert (code, error.count('\n'), 'no copy of this registry' in error) == (5, 1, True)


@pytest.mark.parametrize('body', [b'<html>sign in</html>', b'{}', b'x' * 2**24 + b'x'])
def test_a_bad_registry_keeps_the_good_copy(body, server, run):
    address = server.put('/registry.json', json.dumps([MINE]).encode())
    assert run('list', '--registry', address)[0] == 0
    server.put('/registry.json', body)
    code, _, error = run('list', '--registry', address)
    assert (code, error.count('\n'), error.startswith(f'cbam: {address}: ')) == (4, 1, True)
    assert 'cbam_resnet50.acme' in run('list', '--registry', address, '--offline')[1]


def test_relative_urls_are_resolved_against_the_registry(tmp_path, run):
    """A folder is a registry, also offline; nothing outside of it is read."""
    shop = tmp_path / 'shop'
    (shop / 'files').mkdir(parents=True)
    registry = write_registry(shop / 'registry.yaml', MINE)
    arguments = ('get', 'cbam_resnet50.acme', '--offline', '--registry')
    code, _, error = run(*arguments, registry)
    assert (code, error.count('\n'), "no file 'files/mine.params' next to its registry" in error) == (2, 1, True)
    (shop / 'files' / 'mine.params').write_bytes(b'mine')
    (shop / 'another.json').write_text('no card')
    code, path, _ = run(*arguments, str(shop))
    assert (code, Path(path.strip()).read_bytes()) == (0, b'mine')
    (tmp_path / 'secret.params').write_bytes(b'mine')
    outside = own_card(b'mine', '../secret.params', tag='cbam_resnet50.x')
    code, _, error = run('get', 'cbam_resnet50.x', '--registry', write_registry(shop / 'b.yaml', outside))
    assert (code, "no file '../secret.params' next to its registry" in error) == (2, True)
    with pytest.raises(CbamError, match='unknown field folder'):
        zoo.Published.from_dict({**MINE, 'folder': '/'}, 'x')
