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
LITE_STEPS = sum(c * 128 + 128 * 9 + 2 * 128 for c in (*CHANNELS, *[128] * 5))
LITE = MOBILENET + EXTRAS + LITE_STEPS + sum(129 * k * 25 for k in ANCHORS)
GATES = 6 * (2 * 49 + 2)
# the convolutions of VGG16, fc6, fc7, the scale of the first map; extra layers with biases; heads of 3 x 3
VGG16 = 14_714_688 + (9 * 512 + 1) * 1024 + 1025 * 1024 + 512
VGG16_EXTRAS = sum(
    a * b + b + (9 * b + 1) * c for a, b, c in ((1024, 256, 512), (512, 128, 256), *[(256, 128, 256)] * 2)
)
SSD_VGG16 = (
    VGG16
    + VGG16_EXTRAS
    + sum((9 * c + 1) * k * 25 for c, k in zip((512, 1024, 512, 256, 256, 256), (4, 6, 6, 6, 4, 4)))
)
# 3 x 3 of five maps to 256 and 2 x 2 of 256 to 256, with BatchNorm; heads for 6, 6, 6, 6, 4 and 4 anchors
STAIRNET_VGG16 = (
    VGG16 + VGG16_EXTRAS + 9 * 256 * (512 + 1024 + 512 + 2 * 256) + 5 * 4 * 256**2 + 10 * 512 + 2305 * 25 * 32
)


def se(channels):
    """The parameters of six channel gates with a reduction of 16."""
    return 6 * (2 * channels * (channels // 16) + channels // 16 + channels)


def test_counts():
    compared = [paper_detectors.compare(figures) for figures in paper_detectors.PAPER]
    assert [row.parameters for row in compared] == [
        SSD_VGG16,
        *(STAIRNET_VGG16 + gates for gates in (0, se(256), se(256) + GATES)),
        SSD,
        *(LITE + gates for gates in (0, se(128), se(128) + GATES)),
    ]
    assert [row.differs for row in compared] == [True] + [False] * 7
    assert round((SSD_VGG16 + (9 * 512 + 1) * 2 * 25) / 1e6, 1) == 26.5  # with six anchors in a cell of the first map
    text = paper_detectors.as_text(compared)
    assert '1 of 8 detectors differ' in text
    assert '26.3!' in text
    (line,) = (line for line in text.splitlines() if 'lite +cbam' in line)
    assert line.split() == ['7', 'stairnet_300_lite', '+cbam', '5,995,290', '6.00', '6.00', '70.5']
    assert [row['table'] for row in json.loads(json.dumps([row.as_dict() for row in compared]))] == [7] * 8
    assert compared[0].as_dict()['paper_ap50'] == 77.8


def test_a_difference_shows():
    row = paper_detectors.compare(replace(paper_detectors.PAPER[4], parameters='5.80'))
    assert row.differs
    text = paper_detectors.as_text([row])
    assert '5.81!' in text
    assert '1 of 1 detectors differ' in text
