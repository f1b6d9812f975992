"""``cbam zoo``: tables and JSON."""

import json

import pytest
from checks import assert_one_line
from shelf import own_card, write_registry

BODY = b'weights' * 1000
TAG = 'cbamnet_tiny.test'


@pytest.fixture
def registry(server, tmp_path):
    return write_registry(tmp_path / 'registry.json', own_card(BODY, server.put('/a.params', BODY)))


def test_list(run, registry):
    code, output, error = run('list', '--registry', registry)
    heads, *rows = output.splitlines()
    assert (code, error, heads.split()) == (0, '', ['weights', 'top-1', 'top-5', 'measured', 'by', 'MB', 'here'])
    assert len({len(row) for row in rows}) == 1
    (row,) = (row.split() for row in rows if 'cbam_resnet50.imgclsmob_in1k' in row)
    assert row[1:] == ['*', '0.8006', '0.9512', 'publisher', '112.6', 'no']
    (row,) = (row.split() for row in rows if TAG in row)
    assert row[1:] == ['0.5000', '-', 'publisher', '0.0', 'no']


def test_list_json(run, registry):
    run('get', TAG, '--registry', registry)
    weights = {entry['tag']: entry for entry in json.loads(run('list', '--json', '--registry', registry)[1])['weights']}
    entry = weights['cbam_resnet50.imgclsmob_in1k']
    assert (entry['name'], entry['sha256'], entry['cached']) == ('cbam_resnet50', None, False)
    assert entry['source'] == 'https://github.com/osmr/imgclsmob'
    assert (entry['metrics']['top1'], entry['metrics']['measured_by']) == (0.8006, 'publisher')
    assert (weights[TAG]['cached'], len(weights[TAG]['sha256'])) == (True, 64)


def test_info(run):
    output = run('info', 'cbam_resnet50')[1]
    assert 'sha1: ebd4af235d763f4ecce6dd4e09b508ba61b561f7' in output
    assert '# the metrics are stated by the publisher' in output
    assert '# no hash' not in output
    assert '# no hash is published: the hash of the first file is kept' in run('info', 'bam_resnet50.official_in1k')[1]
    assert json.loads(run('info', 'cbam_resnet50', '--json')[1])['macs'] == 4_095_573_110


def test_get_path_remove(run, registry, home, server):
    options = ('--registry', registry, '--json')
    code, _, error = run('path', TAG, *options)
    assert (code, error) == (2, f'cbam: {TAG} is not in {home}: cbam zoo get {TAG}\n')
    path = str(home / f'{TAG}.params')
    expected = {'path': path, 'sha256': own_card(BODY)['sha256'], 'bytes': len(BODY)}
    assert json.loads(run('get', TAG, *options)[1]) == {**expected, 'cached': False}
    assert json.loads(run('get', TAG, *options, '--offline')[1]) == {**expected, 'cached': True}
    assert json.loads(run('path', TAG, *options)[1]) == {**expected, 'cached': True}
    assert run('path', TAG, '--registry', registry)[1] == path + '\n'
    assert json.loads(run('remove', TAG, *options)[1]) == {'removed': [path, path.replace('.params', '.json')]}
    code, _, error = run('remove', TAG, *options)
    assert (code, error) == (2, f'cbam: nothing of {TAG} is in {home}\n')
    assert len(server.requests) == 1


def test_add(run, registry, tmp_path, home, server):
    (tmp_path / 'mine.params').write_bytes(BODY)
    options = ('--registry', registry, '--json')
    for arguments in ([], [TAG, '--tag', TAG]):
        code, _, error = run('add', tmp_path / 'mine.params', *arguments, *options)
        assert (code, error.count('\n'), 'takes FILE and NAME' in error) == (2, 1, True)
    added = json.loads(run('add', tmp_path / 'mine.params', '--tag', TAG, *options)[1])
    assert added == {'path': str(home / f'{TAG}.params'), 'sha256': own_card(BODY)['sha256'], 'bytes': len(BODY)}
    assert run('get', TAG, *options, '--offline')[0] == 0
    assert server.requests == []


def test_offline_by_the_environment(run, registry, server, monkeypatch):
    monkeypatch.setenv('CBAM_ZOO_OFFLINE', '1')
    code, _, error = run('get', TAG, '--registry', registry)
    assert (code, error.count('\n'), 'offline nothing is downloaded' in error) == (5, 1, True)
    assert server.requests == []


def test_no_mxnet(python, registry):
    """Only ``get`` with a conversion needs it."""
    code = (
        'import sys\nfrom gluon_cbam.cli.main import cli\n'
        'sys.modules.update(dict.fromkeys(["mxnet", "numpy"]))\n'
        'for words in (["list"], ["info", "resnet18"], ["get", "{tag}"], ["path", "{tag}"], ["remove", "{tag}"]):\n'
        '    try:\n'
        '        cli.main(["zoo", *words, "--registry", "{registry}"])\n'
        '    except SystemExit as ended:\n'
        '        assert ended.code == 0, words\n'
    )
    process = python(code.format(tag=TAG, registry=registry))
    assert (process.returncode, process.stderr) == (0, '')


def test_an_unknown_name(cbam):
    line = assert_one_line(cbam('zoo', 'get', 'cbam_resnet5'), 2)
    assert line.startswith("cbam: no weights are published for 'cbam_resnet5': known: cbam_resnet50")
