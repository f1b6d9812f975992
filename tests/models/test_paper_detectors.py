"""Table 7 of the paper beside the detectors here."""

import json
from dataclasses import replace

from gluon_cbam.models import paper_detectors

# counted by hand: MobileNet without its dense layer; extra layers of 1024-256-512, 512-128-256, 256-128-256 and
# 256-64-128 with BatchNorm; heads of 1 x 1 for 4, 6, 6, 6, 6 and 6 anchors of 21 logits and 4 offsets
MOBILENET = 4_231_976 - 1024 * 1000 - 1000
LAYERS = ((1024, 256, 512), (512, 128, 256), (256, 128, 256), (256, 64, 128))
EXTRAS = sum(a * b + b * c * 9 + 2 * (b + c) for a, b, c in LAYERS)
CHANNELS, ANCHORS = (512, 1024, 512, 256, 256, 128), (4, 6, 6, 6, 6, 6)
SSD = MOBILENET + EXTRAS + sum((c + 1) * k * 25 for c, k in zip(CHANNELS, ANCHORS))
# steps of 1 x 1, 3 x 3 for each channel, and BatchNorm: of each map to 128, and of 128 to 128 for five of them
STEPS = sum(c * 128 + 128 * 9 + 2 * 128 for c in (*CHANNELS, *[128] * 5))
STAIRNET = MOBILENET + EXTRAS + STEPS + sum(129 * k * 25 for k in ANCHORS)
SE = 6 * (2 * 128 * 8 + 8 + 128)
CBAM = SE + 6 * (2 * 49 + 2)


def test_counts():
    compared = [paper_detectors.compare(figures) for figures in paper_detectors.PAPER]
    assert [row.parameters for row in compared] == [SSD, STAIRNET, STAIRNET + SE, STAIRNET + CBAM]
    assert [row.differs for row in compared] == [False] * 4
    text = paper_detectors.as_text(compared)
    assert 'all 4 detectors have the printed parameters; its rows on a VGG16 are not recomputed' in text
    (line,) = (line for line in text.splitlines() if '+cbam' in line)
    assert line.split() == ['7', 'stairnet_300_lite', '+cbam', '5,995,290', '6.00', '6.00', '70.5']
    assert [row['table'] for row in json.loads(json.dumps([row.as_dict() for row in compared]))] == [7] * 4
    assert compared[0].as_dict()['paper_ap50'] == 68.1


def test_a_difference_shows():
    row = paper_detectors.compare(replace(paper_detectors.PAPER[0], parameters='5.80'))
    assert row.differs
    text = paper_detectors.as_text([row])
    assert '5.81!' in text
    assert '1 of 1 detectors differ' in text
