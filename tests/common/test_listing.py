"""Names in a sentence."""

import pytest

from gluon_cbam.common.listing import listed


@pytest.mark.parametrize(
    ('names', 'text'), [([], ''), (['a'], 'a'), (['a', 'b'], 'a or b'), ({'a': 1, 'b': 2, 'c': 3}, 'a, b or c')]
)
def test_a_list_has_one_word_before_the_last_name(names, text):
    assert listed(names, 'or') == text
    assert listed(iter(names)) == text.replace('or', 'and')
