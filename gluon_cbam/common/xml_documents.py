"""Reading XML that anybody may have written: elements and text alone, of bounded size and depth.

A document type declares entities, which can expand to gigabytes or read other files: a document with one is refused.
"""

from __future__ import annotations

from typing import Any, Dict
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from .documents import MAX_BYTES, MAX_DEPTH, DocumentError
from .files import read_regular
from .types import OpenablePath


def read_xml(path: OpenablePath, max_bytes: int = MAX_BYTES) -> Element:
    """Read an XML file.

    Args:
        path: path of the file, in an encoding that it declares; default UTF-8.
        max_bytes: largest size of the file.

    Returns:
        The root element.

    Raises:
        DataError: it is not well-formed XML, has a document type, or is too large or nested deeper than
            :data:`.documents.MAX_DEPTH` levels.
        OSError: it cannot be read.
    """
    return parse_xml(read_regular(path, max_bytes), str(path))


def parse_xml(content: bytes, where: str) -> Element:
    """Parse XML.

    Args:
        content: the document.
        where: path of the document, for messages.

    Returns:
        The root element.

    Raises:
        DocumentError: see :func:`read_xml`.
    """
    builder, depth = TreeBuilder(), 0

    def start(name: str, attributes: Dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > MAX_DEPTH:
            raise DocumentError(where, f'nested deeper than {MAX_DEPTH} levels', parser.CurrentLineNumber)
        builder.start(name, attributes)

    def end(name: str) -> None:
        nonlocal depth
        depth -= 1
        builder.end(name)

    def refuse(*_: Any) -> None:
        raise DocumentError(where, 'has a document type (<!DOCTYPE ...>), which is not read', parser.CurrentLineNumber)

    parser = expat.ParserCreate()
    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.CharacterDataHandler = builder.data
    parser.StartDoctypeDeclHandler = refuse
    parser.buffer_text = True
    try:
        parser.Parse(content, True)
    except expat.ExpatError as error:
        raise DocumentError(where, 'not XML', error.lineno, expat.errors.messages.get(error.code)) from None
    except (LookupError, ValueError) as error:  # an encoding that does not exist, or is of several bytes
        if isinstance(error, DocumentError):
            raise
        raise DocumentError(where, f'not XML ({error})') from None
    return builder.close()
