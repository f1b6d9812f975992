"""The plan of memory against sizes counted by hand, and against arrays that are allocated."""

import pytest
from sharded_heads import EXAMPLES, WIDTH, Head

from gluon_cbam.tasks.faces.heads.sharded import ShardedMarginHead
from gluon_cbam.tasks.faces.heads.table import make_margin
from gluon_cbam.training.sharding.plan import plan, plans


def test_a_million_identities_on_eight_devices():
    head = ShardedMarginHead(make_margin('arcface'), 1_000_000, 512)
    one, eight = plans(head, [8, 1, 8], 128, 1)
    assert (one.devices, eight.devices) == (1, 8)
    assert (one.weight, one.state, one.gradient) == (1_000_000 * 512 * 4,) * 3
    assert (eight.weight, eight.classes, eight.images) == (125_000 * 512 * 4, 125_000, 1024)
    assert eight.embeddings == 2 * 1024 * 512 * 4
    assert eight.logits == one.logits, 'eight times the images, an eighth of the classes'
    assert one.total == sum((one.weight, one.state, one.gradient, one.rows, one.logits, one.embeddings))


def test_a_sample_takes_a_part_of_everything_but_weight_and_state():
    head = ShardedMarginHead(make_margin('arcface'), 1_000_000, 512, sample_rate=0.1)
    sampled = plan(head, 8, 128, 1)
    assert (sampled.sampled, sampled.weight) == (12_500, 125_000 * 512 * 4)
    assert sampled.gradient == 3 * 12_500 * 512 * 4, 'gradient, and copies of weight and momentum'
    assert '12,500 of them in a step' in sampled.as_row(str)[1]


@pytest.mark.parametrize(('name', 'rate'), [('subcenter_arcface', 1.0), ('softmax', 1.0), ('arcface', 0.5)])
def test_plans_are_what_shards_have(name, rate):
    head = Head(name, 2, 'float32', rate=rate, momentum=0.9)
    shard = head.weight.shards[0]
    planned = plan(head.weight.head, 2, EXAMPLES // 2, 1)
    assert planned.classes == len(shard.classes) == 19
    assert planned.sampled == shard.count
    assert planned.weight == sum(4 * array.size for array in shard.values.values())
    states = [array for arrays in head.optimizer._devices[0].states.values() for array in arrays]
    assert planned.state == sum(4 * array.size for array in states)
    assert planned.embeddings == 2 * EXAMPLES * WIDTH * 4
