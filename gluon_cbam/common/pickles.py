"""Read pickles of plain data without running code.

:mod:`.pickle_operations` parses, and the table below implements each operation; one that is not in it is refused. An
object of a class that is not known is replaced by a :class:`Foreign`, which does nothing: checkpoints hold such objects
beside the parameters, such as the settings of a run. Who needs the object itself refuses it by its name.
:class:`pickle.Unpickler` with a restricted ``find_class`` is not enough: a hostile file can still make it allocate
gigabytes (a large index into its memo) or overflow the C stack (deeply nested tuples as a key), and the process dies.
"""

from __future__ import annotations

from typing import IO, Any, Callable, Dict, Iterable, List, Mapping, NamedTuple, Optional, Tuple

from .damage import Damaged, reason
from .pickle_operations import operations
from .quoting import shown, shown_name

Globals = Mapping[str, Any]
"""'module name' -> the object that replaces that global. The pickle can call an object that is callable."""


class Foreign(NamedTuple):
    """What stands for a global that is not known, for what a call of it gives, and for what is made of that.

    Attributes:
        name: name of the global.
    """

    name: str

    def refusal(self) -> Damaged:
        """The error for a place where plain data are needed."""
        return Damaged(f'it asks for {shown_name(self.name)}, which is not plain data')


class Instance:
    """An object of :data:`Globals` whose state the pickle sets after it is made."""

    def set_state(self, state: Any) -> None:
        """Take the state.

        Args:
            state: what the pickle holds.

        Raises:
            Damaged: it is none.
        """
        raise NotImplementedError


def load(
    stream: IO[bytes],
    known: Globals,
    persistent: Optional[Callable[[Any], Any]] = None,
    strict: bool = False,
    most_operations: Optional[int] = None,
) -> Any:
    """Read one pickle.

    Args:
        stream: an open binary file, at the beginning of the pickle; afterwards at its end.
        known: the globals that the pickle may use; another becomes a :class:`Foreign`.
        persistent: function from a persistent id to the object that it names; default there are none.
        strict: refuse a pickle that names another global, also where it is not used.
        most_operations: the largest number of operations, each of which may take a few dozen bytes of memory; default
            any number.

    Returns:
        The object.

    Raises:
        Damaged: an operation is not allowed, or the pickle is damaged.
    """
    machine = _Machine(known, persistent, strict)
    try:
        for number, (name, argument) in enumerate(operations(stream, _OPERATIONS)):
            if number == most_operations:
                raise Damaged(f'more than {most_operations} operations of a pickle, too many for its size')
            _OPERATIONS[name](machine, argument)
        (value,) = machine.stack
    except Damaged:
        raise
    except Exception as error:  # an operation on a damaged pickle raises errors of many classes
        raise Damaged(f'a damaged pickle, {reason(error)}') from error
    return value


def mapping(pairs: Iterable[Tuple[Any, Any]] = ()) -> Dict[Any, Any]:
    """Build a dictionary of pairs; it replaces ``collections.OrderedDict``.

    Args:
        pairs: pairs of a key and its value.

    Returns:
        The dictionary.

    Raises:
        Damaged: a key is not a text or a number.
    """
    if isinstance(pairs, Foreign):
        return {}
    return {_key(key): value for key, value in pairs if not isinstance(key, Foreign)}


def _key(value: Any) -> Any:
    """A key, after a check of its type."""
    if not isinstance(value, (str, int, float, type(None))):
        raise Damaged(f'a key of type {type(value).__name__}')
    return value


class _Machine:
    """The stack, the marks in it and the memo of a pickle that is being read."""

    def __init__(self, known: Globals, persistent: Optional[Callable[[Any], Any]], strict: bool) -> None:
        self.known, self.persistent, self.strict = known, persistent, strict
        self.stack: List[Any] = []
        self.marks: List[int] = []
        self.memo: Dict[int, Any] = {}

    def push(self, value: Any) -> None:
        """Put a value onto the stack."""
        self.stack.append(value)

    def pop(self, count: int) -> List[Any]:
        """Take values from the stack."""
        if count > len(self.stack):
            raise Damaged('a damaged pickle, its stack is empty')
        values = self.stack[len(self.stack) - count :]
        del self.stack[len(self.stack) - count :]
        return values

    def pop_to_mark(self) -> List[Any]:
        """Take the values above the last mark."""
        return self.pop(len(self.stack) - self.marks.pop())

    def target(self, kind: type) -> Any:
        """The value at the top of the stack, after a check of its type."""
        if type(self.stack[-1]) is not kind:
            raise Damaged(f'a damaged pickle, no {kind.__name__} where it needs one')
        return self.stack[-1]

    def find(self, name: str) -> None:
        """Push the object that replaces a global."""
        found = self.known.get(name, Foreign(name.replace(' ', '.')))
        if self.strict and isinstance(found, Foreign):
            raise found.refusal()
        self.push(found)

    def find_named(self) -> None:
        """Push the object that replaces the global of a module and a name on the stack."""
        names = self.pop(2)
        if not all(isinstance(name, str) for name in names):
            raise Damaged(f'a damaged pickle, a global of the name {shown(names)}')
        self.find(' '.join(names))

    def call(self) -> None:
        """Call an object of :data:`Globals`."""
        function, arguments = self.pop(2)
        self.push(function if isinstance(function, Foreign) else function(*arguments))

    def make(self, count: int) -> None:
        """Make an instance of a class, which is never one that is known, from its arguments."""
        instance = self.pop(count)[0]
        if not isinstance(instance, Foreign):
            raise Damaged('a damaged pickle, an instance of what is no class')
        self.push(instance)

    def extend(self, values: List[Any]) -> None:
        """Append to the list at the top."""
        if not self.foreign():
            self.target(list).extend(values)

    def update(self, values: List[Any]) -> None:
        """Set keys of the dictionary at the top; keys and values alternate."""
        if not self.foreign():
            self.target(dict).update(mapping(zip(values[::2], values[1::2])))

    def build(self) -> None:
        """Set the state of an instance; of others, drop attributes such as ``_metadata`` of PyTorch's OrderedDict."""
        (state,) = self.pop(1)
        if isinstance(self.stack[-1], Instance):
            self.stack[-1].set_state(state)
        elif not self.foreign():
            self.target(dict)

    def find_persistent(self) -> None:
        """Push the object of a persistent id."""
        (key,) = self.pop(1)
        if self.persistent is None:
            raise Damaged('it refers to objects outside the pickle')
        self.push(self.persistent(key))

    def foreign(self) -> bool:
        """Whether the value at the top is to be left as it is."""
        return isinstance(self.stack[-1], Foreign)


def _nothing(machine: _Machine, argument: Any) -> None:
    """An operation that is ignored."""


def _argument(machine: _Machine, argument: Any) -> None:
    """An operation that pushes its argument."""
    machine.push(argument)


_OPERATIONS: Dict[str, Callable[[_Machine, Any], Any]] = {
    **dict.fromkeys(('PROTO', 'FRAME', 'STOP'), _nothing),
    **dict.fromkeys(('BINUNICODE', 'SHORT_BINUNICODE', 'BINSTRING', 'SHORT_BINSTRING', 'BINFLOAT'), _argument),
    **dict.fromkeys(('BINBYTES', 'SHORT_BINBYTES', 'BININT', 'BININT1', 'BININT2', 'LONG1'), _argument),
    **dict.fromkeys(('STRING', 'UNICODE', 'INT', 'LONG', 'FLOAT', 'BYTEARRAY8'), _argument),
    'NONE': lambda machine, _: machine.push(None),
    'NEWTRUE': lambda machine, _: machine.push(True),
    'NEWFALSE': lambda machine, _: machine.push(False),
    'EMPTY_DICT': lambda machine, _: machine.push({}),
    'EMPTY_LIST': lambda machine, _: machine.push([]),
    'EMPTY_SET': lambda machine, _: machine.push([]),  # nothing here needs a set
    'FROZENSET': lambda machine, _: machine.push(machine.pop_to_mark()),
    'EMPTY_TUPLE': lambda machine, _: machine.push(()),
    'MARK': lambda machine, _: machine.marks.append(len(machine.stack)),
    'LIST': lambda machine, _: machine.push(machine.pop_to_mark()),
    'TUPLE': lambda machine, _: machine.push(tuple(machine.pop_to_mark())),
    'TUPLE1': lambda machine, _: machine.push(tuple(machine.pop(1))),
    'TUPLE2': lambda machine, _: machine.push(tuple(machine.pop(2))),
    'TUPLE3': lambda machine, _: machine.push(tuple(machine.pop(3))),
    'APPEND': lambda machine, _: machine.extend(machine.pop(1)),
    **dict.fromkeys(('APPENDS', 'ADDITEMS'), lambda machine, _: machine.extend(machine.pop_to_mark())),
    'SETITEM': lambda machine, _: machine.update(machine.pop(2)),
    'SETITEMS': lambda machine, _: machine.update(machine.pop_to_mark()),
    **dict.fromkeys(
        ('PUT', 'BINPUT', 'LONG_BINPUT'), lambda machine, index: machine.memo.update({index: machine.stack[-1]})
    ),
    **dict.fromkeys(('GET', 'BINGET', 'LONG_BINGET'), lambda machine, index: machine.push(machine.memo[index])),
    'MEMOIZE': lambda machine, _: machine.memo.update({len(machine.memo): machine.stack[-1]}),
    'GLOBAL': lambda machine, name: machine.find(name),
    'STACK_GLOBAL': lambda machine, _: machine.find_named(),
    'REDUCE': lambda machine, _: machine.call(),
    'NEWOBJ': lambda machine, _: machine.make(2),
    'NEWOBJ_EX': lambda machine, _: machine.make(3),
    'POP': lambda machine, _: machine.pop(1),
    'POP_MARK': lambda machine, _: machine.pop_to_mark(),
    'BINPERSID': lambda machine, _: machine.find_persistent(),
    'BUILD': lambda machine, _: machine.build(),
}
"""Name of the operation -> its implementation."""
