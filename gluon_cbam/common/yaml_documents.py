"""Parsing YAML to plain values, see :mod:`.documents`. JSON is a subset of YAML.

The values are made from the events of PyYAML's parser: its own constructors recurse, expand aliases without a limit and
make dates and binary data.
"""

from __future__ import annotations

from typing import Any, Dict, List, NamedTuple, NoReturn, Optional, Tuple, Union

import yaml

from .documents import (
    MAX_BYTES,
    MAX_DEPTH,
    DocumentError,
    check_characters,
    check_digits,
    check_integer,
    check_number,
    decoded,
)
from .quoting import shown

MAX_EXPANSION = 100_000
"""Values and characters that the aliases of a document may add in all."""

MAX_VALUES = 500_000
"""Values and keys in a document; they take about five seconds."""

_Event = Any  # a yaml.Event; its marks may be None in the annotations of PyYAML, which the parser never gives
_PREFIX = 'tag:yaml.org,2002:'
_COLLECTIONS = (None, '!', f'{_PREFIX}seq', f'{_PREFIX}map')
_REFUSED = {'timestamp': 'a date: put it in quotes', 'binary': 'binary data', 'merge': 'a merge key'}
_SYNTAX = 'neither YAML nor JSON'


Lines = Dict[Tuple[str, ...], int]
"""Line of each key of the mappings that are not inside lists, from 1, by the path of the key."""


class YamlDocument(NamedTuple):
    """A parsed document.

    Attributes:
        value: the plain value; None for an empty document.
        lines: the lines of its keys.
    """

    value: Any
    lines: Lines


def parse_yaml(text: Union[str, bytes], where: str, max_bytes: int = MAX_BYTES) -> YamlDocument:
    """Parse YAML.

    Args:
        text: one document.
        where: path or URL of the document, for messages.
        max_bytes: largest size.

    Returns:
        A plain value, with the lines of its keys.

    Raises:
        DocumentError: it is not YAML, too large or nested too deeply; a key is given twice; an alias expands too far or
            to what contains it; or a value is not a plain one, such as a date, binary data or a number that is not
            finite or has more than 64 bits. The message has the key and the line.
    """
    builder = _Builder(where)
    try:
        for event in yaml.parse(decoded(text, where, max_bytes), Loader=getattr(yaml, 'CSafeLoader', yaml.SafeLoader)):
            builder.add(event)
    except yaml.YAMLError as error:
        mark: Any = getattr(error, 'problem_mark', None)
        detail = getattr(error, 'problem', None) or str(error).partition('\n')[0]
        raise DocumentError(where, _SYNTAX, mark.line + 1 if mark else None, detail) from None
    return YamlDocument(builder.root, builder.lines)


class _Open:
    """A list or mapping whose end has not come yet.

    Args:
        value: the list or mapping.
        anchor: its anchor, if it has one.
        before: the size of the document before it.
    """

    def __init__(self, value: Any, anchor: Optional[str], before: int) -> None:
        self.value, self.anchor, self.before = value, anchor, before
        self.key: Optional[str] = None  # of a mapping, waiting for its value


class _Builder:
    """Makes plain values from the events of a parser, without recursion.

    Args:
        where: path or URL of the document, for messages.
    """

    def __init__(self, where: str) -> None:
        self.root: Any = None
        self.lines: Lines = {}
        self._where = where
        self._scalars = yaml.SafeLoader('')
        self._open: List[_Open] = []
        self._anchors: Dict[str, Tuple[Any, int]] = {}  # the value and its size
        self._size = self._expansion = self._values = self._documents = 0

    def add(self, event: _Event) -> None:
        """Add the next event."""
        if isinstance(event, yaml.DocumentStartEvent):
            self._documents += 1
            if self._documents > 1:
                self._fail(event, 'more than one document')
        elif isinstance(event, yaml.CollectionEndEvent):
            done = self._open.pop()
            if done.anchor:
                self._anchors[done.anchor] = done.value, self._size - done.before
            self._place(done.value)
        elif isinstance(event, yaml.NodeEvent):
            self._values += 1
            if self._values > MAX_VALUES:
                self._fail(event, f'more than {MAX_VALUES} values')
            if self._open and isinstance(self._open[-1].value, dict) and self._open[-1].key is None:
                self._begin_entry(event)
            else:
                self._add_value(event)

    def _begin_entry(self, event: _Event) -> None:
        """Take a key of the innermost mapping."""
        if not isinstance(event, yaml.ScalarEvent) or event.tag not in (None, '!', f'{_PREFIX}str'):
            self._fail(event, f'{self._path("a key")} must be text')
        key, mapping = event.value, self._open[-1]
        if key == '<<' and event.implicit[0]:
            self._fail(event, f'{self._path(key)} is a merge key, which is not read')
        mapping.key = key
        self._checked(event, check_characters, key)
        path = tuple(parent.key for parent in self._open if parent.key is not None)
        if key in mapping.value:
            first = f', first in line {self.lines[path]}' if path in self.lines else ''
            self._fail(event, f'{self._path()} is given twice{first}')
        if len(path) == len(self._open):  # not inside a list
            self.lines[path] = _line(event)
        self._size += len(key) + 1

    def _add_value(self, event: _Event) -> None:
        """Add a scalar or an alias, or begin a list or mapping."""
        before = self._size
        if isinstance(event, yaml.AliasEvent):
            self._place(self._aliased(event))
        elif isinstance(event, yaml.ScalarEvent):
            value = self._scalar(event)
            self._size += len(event.value) + 1
            if event.anchor:
                self._anchors[event.anchor] = value, self._size - before
            self._place(value)
        else:
            self._check_collection(event)
            self._size += 1
            self._anchors.pop(event.anchor, None)  # an alias inside of it cannot mean an earlier one
            self._open.append(_Open({} if isinstance(event, yaml.MappingStartEvent) else [], event.anchor, before))

    def _place(self, value: Any) -> None:
        """Put a value into the innermost list or mapping."""
        if not self._open:
            self.root = value
        elif isinstance(self._open[-1].value, list):
            self._open[-1].value.append(value)
        else:
            parent = self._open[-1]
            parent.value[parent.key] = value
            parent.key = None

    def _check_collection(self, event: _Event) -> None:
        """Check the depth and the tag of a list or mapping that begins."""
        if event.tag not in _COLLECTIONS:
            self._fail(event, _SYNTAX, f'{self._path()} has the tag {shown(event.tag)}')
        if len(self._open) >= MAX_DEPTH:
            self._fail(event, f'nested deeper than {MAX_DEPTH} levels')

    def _aliased(self, event: _Event) -> Any:
        """The value that an alias stands for."""
        if event.anchor not in self._anchors:
            self._fail(event, f'{self._path()} is an alias of nothing before it, or of what contains it')
        value, size = self._anchors[event.anchor]
        self._size += size
        self._expansion += size
        if self._expansion > MAX_EXPANSION:
            self._fail(event, f'{self._path()} expands too far: aliases may add {MAX_EXPANSION} values and characters')
        return value

    def _scalar(self, event: _Event) -> Any:
        """The plain value of a scalar."""
        tag = event.tag
        if tag in (None, '!'):
            tag = self._scalars.resolve(yaml.ScalarNode, event.value, event.implicit if tag is None else (False, True))
        node = yaml.ScalarNode(tag, event.value, event.start_mark, event.end_mark)
        kind = tag[len(_PREFIX) :] if tag.startswith(_PREFIX) else None
        if kind in _REFUSED:
            self._fail(event, f'{self._path()} must be a plain value, got {shown(event.value)}, {_REFUSED[kind]}')
        if kind == 'str':
            return self._checked(event, check_characters, event.value)
        if kind == 'int':
            self._checked(event, check_digits, event.value)
            return self._checked(event, check_integer, self._constructed(event, node))
        if kind == 'float':
            self._checked(event, check_digits, event.value)
            return self._checked(event, check_number, self._constructed(event, node))
        if kind in ('bool', 'null'):
            return self._constructed(event, node)
        return self._fail(event, _SYNTAX, f'{self._path()} has the tag {shown(tag)}')

    def _constructed(self, event: _Event, node: yaml.ScalarNode) -> Any:
        """The value that PyYAML makes of a scalar; an explicit tag may not fit it."""
        try:
            return self._scalars.construct_object(node)
        except (ValueError, LookupError, yaml.YAMLError):
            return self._fail(event, f'{self._path()}: {shown(event.value)} does not fit its tag')

    def _checked(self, event: _Event, check: Any, value: Any) -> Any:
        """A value that passes a check; the error of the check, with the key."""
        try:
            return check(value)
        except ValueError as error:
            return self._fail(event, f'{self._path()}: {error}')

    def _path(self, last: str = '') -> str:
        """The path of the value that is being read, for messages."""
        path = ''
        for parent in self._open:
            if isinstance(parent.value, list):
                path += f'[{len(parent.value)}]'
            elif parent.key is not None:
                path += f'.{parent.key}'
        return shown_path(f'{path}.{last}' if last else path)

    def _fail(self, event: _Event, problem: str, detail: Optional[str] = None) -> NoReturn:
        raise DocumentError(self._where, problem, _line(event), detail)


def _line(event: _Event) -> int:
    """The line of an event, from 1."""
    return int(event.start_mark.line) + 1


def shown_path(path: str) -> str:
    """The path of a value for a message, without the dot before its first key."""
    path = path.lstrip('.') or 'the document'
    return path if len(path) <= 120 and path.isprintable() else shown(path, 120)
