"""The counts of tables 4 and 5, and the table that is printed."""

import csv
import json

import pytest

from gluon_cbam import get_model, list_models
from gluon_cbam.models import paper_tables
from gluon_cbam.models.complexity import complexity

# the parameters of the paper's networks to the last one; the paper prints them rounded
EXACT = {
    'resnet18': 11_689_512,
    'se_resnet18': 11_778_592,
    'cbam_resnet18': 11_779_392,
    'resnet34': 21_797_672,
    'se_resnet34': 21_958_868,
    'cbam_resnet34': 21_960_468,
    'resnet50': 25_557_032,
    'se_resnet50': 28_088_024,
    'cbam_resnet50': 28_089_624,
    'resnet101': 44_549_160,
    'se_resnet101': 49_326_872,
    'cbam_resnet101': 49_330_172,
    'wide_resnet18_x1_5': 25_875_816,
    'se_wide_resnet18_x1_5': 26_074_716,
    'cbam_wide_resnet18_x1_5': 26_075_516,
    'wide_resnet18_x2_0': 45_618_216,
    'se_wide_resnet18_x2_0': 45_970_456,
    'cbam_wide_resnet18_x2_0': 45_971_256,
    'resnext50_32x4d': 25_028_904,
    'se_resnext50_32x4d': 27_559_896,
    'cbam_resnext50_32x4d': 27_561_496,
    'resnext101_32x4d': 44_177_704,
    'se_resnext101_32x4d': 48_955_416,
    'cbam_resnext101_32x4d': 48_958_716,
    'mobilenet0.7': 2_298_747,
    'se_mobilenet0.7': 2_704_661,
    'cbam_mobilenet0.7': 2_707_361,
    'mobilenet1.0': 4_231_976,
    'se_mobilenet1.0': 5_072_276,
    'cbam_mobilenet1.0': 5_074_976,
}
# multiply-adds in 1e9 with the stride where the official code has it
OFFICIAL_STRIDE = {
    **{'resnet50': 4.089, 'se_resnet50': 4.092, 'cbam_resnet50': 4.096},
    **{'resnet101': 7.801, 'se_resnet101': 7.806, 'cbam_resnet101': 7.813},
    **{'resnext50_32x4d': 4.230, 'se_resnext50_32x4d': 4.233, 'cbam_resnext50_32x4d': 4.237},
    **{'resnext101_32x4d': 7.970, 'se_resnext101_32x4d': 7.975, 'cbam_resnext101_32x4d': 7.981},
}
# networks that neither table has
OTHERS = {
    'bam_resnet18': 11_712_503,
    'bam_resnet34': 21_820_663,
    'bam_resnet50': 25_915_099,
    'bam_resnet101': 44_907_227,
    'bam_resnet152': 60_550_875,
    'cbam_resnet152': 66_826_848,
}


@pytest.fixture(scope='module')
def compared():
    return {figures.name: paper_tables.compare(figures) for figures in paper_tables.PAPER}


def test_every_network_of_the_tables_is_here():
    names = [figures.name for figures in paper_tables.PAPER]
    assert len(names) == len(set(names)) == 30
    assert set(names) == set(EXACT) <= set(list_models())


@pytest.mark.parametrize('name', EXACT)
def test_counts_of_the_paper(name, compared):
    ours = compared[name]
    assert ours.parameters == EXACT[name]
    assert f'{ours.gflops:.3f}' == ours.paper_gflops
    assert ours.paper_parameters in (None, f'{EXACT[name] / 1e6:.2f}')
    assert round(ours.default_gflops, 3) == OFFICIAL_STRIDE.get(name, float(ours.paper_gflops))
    assert ours.differs == ()


@pytest.mark.parametrize('name', OTHERS)
def test_counts_of_the_others(name):
    assert complexity(get_model(name), (1, 3, 224, 224)).parameters == OTHERS[name]


@pytest.mark.parametrize('name', ['se_resnet50', 'bam_resnet50', 'cbam_resnext50_32x4d', 'se_mobilenet1.0'])
def test_the_share_of_the_attention_is_what_it_adds(name):
    with_it, without = (complexity(get_model(n), (1, 3, 64, 64)) for n in (name, name.partition('_')[2]))
    assert with_it.attention_parameters == with_it.parameters - without.parameters > 0
    assert with_it.attention_macs == with_it.macs - without.macs > 0
    assert without.attention_parameters == without.attention_macs == 0


def test_a_difference_shows():
    wrong = paper_tables.PaperFigures(4, 'mobilenet0.7', '2.31', '0.284', '0.00', '0.00')
    compared = paper_tables.compare(wrong)
    assert compared.differs == ('parameters', 'gflops')
    text = paper_tables.as_text([compared])
    assert ' 2.30! ' in text
    assert ' 0.283! ' in text
    assert '1 of 1 models differ' in text


def test_text(compared):
    lines = paper_tables.as_text(compared.values()).splitlines()
    assert max(len(line) for line in lines) <= 120
    (line,) = (line for line in lines if ' cbam_resnet50 ' in line)
    figures = ['28,089,624', '28.09', '28.09', '3.864', '3.864', '4.096', '22.66', '6.31']
    assert line.split() == ['4', 'cbam_resnet50', *figures]
    assert 'all 30 models agree with the printed counts' in '\n'.join(lines)


def test_csv_and_json_hold_the_same(compared):
    table = list(csv.DictReader(paper_tables.as_csv(compared.values()).splitlines()))
    objects = json.loads(json.dumps([row.as_dict() for row in compared.values()]))
    assert [row['name'] for row in table] == [value['name'] for value in objects] == list(EXACT)
    for row, value in zip(table, objects):
        assert int(row['parameters']) == value['parameters']
        assert float(row['gflops']) == value['gflops']
        assert float(row['paper_top1_error']) == value['paper_top1_error']
        assert (row['paper_top5_error'] == '') == (value['paper_top5_error'] is None)
