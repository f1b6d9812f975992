"""The public names of release 0.1 still work, with a warning."""

import pytest

from gluon_cbam import explain


@pytest.mark.parametrize(
    ('old', 'new'), [('Agreement', 'LocalizationMetrics'), ('Scores', 'LocalizationScores'), ('spread', 'upsample_map')]
)
def test_old_names_warn(old, new):
    with pytest.warns(DeprecationWarning, match=f'gluon_cbam.explain.{old} was renamed to gluon_cbam.explain.{new}'):
        assert getattr(explain, old) is getattr(explain, new)


def test_other_names_are_unknown():
    with pytest.raises(AttributeError, match="'gluon_cbam.explain' has no attribute 'spreads'"):
        explain.spreads  # noqa: B018
