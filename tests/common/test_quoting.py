"""Values from files in messages: one short printable line for any value, in little time."""

import datetime

import pytest

from gluon_cbam.common.quoting import shown, shown_name, shown_names


def doubled(times, join):
    value = 'a'
    for _ in range(times):
        value = join(value)
    return value


HOSTILE = {
    'tuples': doubled(60, lambda value: (value, value)),
    'lists': doubled(60, lambda value: [value, value]),
    'mappings': doubled(60, lambda value: {'a': value, 'b': value}),
    'text': 'x' * 10**6,
    'bytes': b'\0' * 10**6,
    'a list': list(range(10**6)),
    'an integer': 1 << 10**7,
    'lines': 'a\nb\x1b[31m\u202e\udcff',
    'an object': type('O' * 1000, (), {'__repr__': lambda self: 1 / 0})(),
}


@pytest.mark.parametrize('kind', HOSTILE)
def test_any_value_is_a_short_line(kind):
    for text in (shown(HOSTILE[kind]), shown_name(HOSTILE[kind]), shown(HOSTILE[kind], 20)):
        assert len(text) <= 160
        assert text.isprintable()


def test_a_value_that_contains_itself():
    value = []
    value.append(value)
    assert shown(value) == '[[[[...]]]]'


@pytest.mark.parametrize(
    'value', [3, -1.5, True, None, 'a b', b'\xff', [1, 'a'], (1,), (), {'a': [1]}, datetime.date(2020, 1, 2), 10**60]
)
def test_small_values_as_python_writes_them(value):
    assert shown(value) == repr(value)


def test_names():
    assert shown_name('layer1.0.conv1.weight') == 'layer1.0.conv1.weight'
    assert shown_name('Übung') == 'Übung'
    assert shown_name('a\nb') == r'a\nb'
    assert shown_name((1, 2)) == '(1, 2)'
    assert shown_names('abcd', 2) == 'a, b and 2 more'
