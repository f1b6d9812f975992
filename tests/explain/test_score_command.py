"""``cbam explain --score`` from files to a table, with the weights that come with the package."""

import json

import checks
import pytest

from gluon_cbam.data.datasets.shapes import write_shapes

NETWORK = ('--score', '--network', 'cbamnet_tiny', '--pretrained', '--ignore-classes')


@pytest.fixture(scope='module')
def val(tmp_path_factory):
    folder = tmp_path_factory.mktemp('shapes')
    write_shapes(folder, size=32, train=8, val=12)
    return folder / 'val.rec'


def test_table_and_json(val, cbam_here):
    arguments = ('explain', *NETWORK, '--data-val', val, '--layer', 'stages.0,stages.1')
    process = cbam_here(*arguments, '--json')
    assert process.returncode == 0, process.stderr
    value = json.loads(process.stdout)
    assert (value['network'], value['records'], value['align']) == ('cbamnet_tiny', 12, 'even')
    assert [scores['name'] for scores in value['maps']] == [
        *(f'spatial stages.{stage}.attention' for stage in (0, 1)),
        *(f'{method} stages.{stage}' for method in ('gradcam', 'gradcam++') for stage in (0, 1)),
    ]
    assert [scores['name'] for scores in value['chance']] == ['uniform', 'random', 'centre']
    uniform = value['chance'][0]
    for scores in (*value['maps'], *value['chance']):
        assert scores['records'] == 12
        assert scores['lift'] == pytest.approx(scores['energy'] / uniform['energy'])
        assert 0 <= scores['pointing'] <= 1
        assert uniform['iou'] <= scores['iou'] + 1e-9, 'the whole image is one choice'
        assert scores['iou'] <= scores['oracle_iou'] + 1e-9
    lines = cbam_here(*arguments).stdout.splitlines()
    assert lines[0] == f'12 records, each once: top-1 {value["top1"]:.4f}'
    assert lines[1].split() == ['map', 'pointing', 'energy', 'lift', 'iou', 'threshold', 'oracle', 'iou']
    first = value['maps'][0]
    numbers = [f'{first[name]:.3f}' for name in ('pointing', 'energy', 'lift', 'iou', 'threshold', 'oracle_iou')]
    assert lines[2].split() == ['spatial', 'stages.0.attention', *numbers]
    assert lines[-1].startswith('baseline: centre')


@pytest.mark.parametrize(
    'arguments, code, message',
    [
        (('cat.png',), 2, '--score takes the images of --data-val, and no others'),
        (('--stages', 'all'), 2, '--stages is for figures, and --score draws none'),
        (('--report',), 2, '--report is for figures, and --score draws none'),
        (('--align', 'evenly'), 2, "unknown alignment 'evenly': did you mean even?"),
        (('--layer', 'stages.0,none'), 2, "unknown layer 'none'"),
        (('--masks', 'none.npz'), 4, "no masks 'none.npz'"),
    ],
)
def test_refusals(val, arguments, code, message, cbam_here):
    assert message in checks.assert_one_line(cbam_here('explain', *NETWORK, '--data-val', val, *arguments), code)


def test_missing_arguments(val, cbam_here):
    for arguments, message in (
        (NETWORK, '--score needs --data-val FILE'),
        (('--score', '--network', 'cbamnet_tiny', '--data-val', val), '--score needs weights'),
        (('--network', 'cbamnet_tiny', '--pretrained'), 'give images, or --score and --data-val'),
        (('--network', 'cbamnet_tiny', '--pretrained', '--data-val', val), '--data-val and --masks go with --score'),
    ):
        assert message in checks.assert_one_line(cbam_here('explain', *arguments), 2)
