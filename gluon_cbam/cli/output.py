"""Results of the command: human-readable text, or one JSON object."""

from __future__ import annotations

import functools
import json
from typing import Any, Callable, Optional, Tuple

import click

from gluon_cbam.common.printable import printable

from .errors import debug_option

Result = Tuple[Any, Optional[str]]
"""The result of a command: the value for ``--json``, and the text that is printed otherwise; None prints nothing."""

json_option = click.option('--json', 'as_json', is_flag=True, help='print one JSON object')


def common_options(function: Callable[..., Result]) -> Callable[..., None]:
    """Add ``--json`` and ``--debug`` to a command, and print its result.

    Args:
        function: the command; returns a :data:`Result`.

    Returns:
        The function for :func:`click.command`.
    """

    @json_option
    @debug_option
    @functools.wraps(function)
    def run(as_json: bool, **arguments: Any) -> None:
        value, text = function(**arguments)
        if as_json or text is not None:
            click.echo(json.dumps(value, allow_nan=False) if as_json else printable(text or '', keep='\n\t'))

    return run
