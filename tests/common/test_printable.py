"""Text that a terminal shows as it is."""

import pytest

from gluon_cbam.common.errors import DataError
from gluon_cbam.common.printable import printable, spreadsheet_cell
from gluon_cbam.common.text_table import aligned


@pytest.mark.parametrize(
    ('text', 'shown'),
    [
        ('ünï cödé 猫.jpg', 'ünï cödé 猫.jpg'),
        ('a\nb\tc\r', r'a\nb\tc\r'),
        ('\x1b[2Jx', r'\x1b[2Jx'),
        ('caf\udce9', r'caf\udce9'),
        ('gpj.\u202eexe', r'gpj.\u202eexe'),
        ('\U000e0001', r'\U000e0001'),
        ("it's", "it's"),
    ],
)
def test_as_ascii_writes_it(text, shown):
    assert printable(text) == shown
    assert all(letter in shown or ascii(letter)[1:-1] in shown for letter in text)
    assert printable(shown) == shown
    shown.encode('utf-8')


def test_characters_that_are_kept():
    assert printable('a\n\tb\x1b', keep='\n\t') == 'a\n\tb\\x1b'


def test_cells_of_spreadsheets():
    for text in ('=1', '+1', '-1', '@x', '\uff1d1'):
        assert spreadsheet_cell(text) == f"'{text}"
    for text in ('a=1', "'=1", '', '1-1'):
        assert spreadsheet_cell(text) == text


def test_a_table_stays_aligned():
    assert aligned([['name', 'n'], ['a\nb', '1']]) == 'name  n\na\\nb  1'


def test_errors_of_the_command_are_one_line(capsys):
    """With the whole reason, although the file's name has a line break."""
    import click

    from gluon_cbam.cli.errors import Group

    @click.command()
    def fail():
        raise DataError('a\nb\x1b.png: a damaged image\n')

    group = Group(commands={'fail': fail})
    with pytest.raises(SystemExit) as ended:
        group.main(['fail'])
    assert ended.value.code == 4
    assert capsys.readouterr().err == 'cbam: a\\nb\\x1b.png: a damaged image\n'
