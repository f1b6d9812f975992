"""XML from outside: the elements of xml.etree, and what is refused."""

from xml.etree import ElementTree

import pytest

from gluon_cbam.common.errors import DataError
from gluon_cbam.common.xml_documents import parse_xml, read_xml

TEXT = (
    '<?xml version="1.0" encoding="latin-1"?><a x="1">é<b>two <c/> three</b>&lt;<!-- no --><b><![CDATA[<d>]]></b></a>'
)
BOMB = '<!DOCTYPE a [<!ENTITY x "ha"><!ENTITY y "&x;&x;&x;">]><a>&y;</a>'


def test_elements_are_those_of_etree():
    content = TEXT.encode('latin-1')
    assert ElementTree.tostring(parse_xml(content, 'a')) == ElementTree.tostring(ElementTree.fromstring(content))


@pytest.mark.parametrize(
    'text, message',
    [
        (BOMB, 'document type'),
        ('<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>', 'document type'),
        ('<a>&x;</a>', 'not XML, line 1 .undefined entity'),
        ('<a><b></a>', 'not XML, line 1 .mismatched tag'),
        ('', 'not XML'),
        ('<?xml version="1.0" encoding="nothing"?><a/>', 'not XML'),
        ('<a>' * 100 + '</a>' * 100, 'nested deeper than 64'),
    ],
)
def test_refused(text, message):
    with pytest.raises(DataError, match=f'here: .*{message}|here: {message}'):
        parse_xml(text.encode(), 'here')


def test_size_is_bounded(tmp_path):
    (tmp_path / 'a.xml').write_text('<a>' + ' ' * 1000 + '</a>')
    assert read_xml(tmp_path / 'a.xml').tag == 'a'
    with pytest.raises(DataError, match='larger than the 500'):
        read_xml(tmp_path / 'a.xml', 500)
