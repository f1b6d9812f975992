"""Progress bars and log lines on standard error; bars are shown on a terminal only."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Callable, Iterable, Iterator, Optional

from gluon_cbam.common.printable import printable

if TYPE_CHECKING:
    from tqdm import tqdm


def progress_bar(items: Iterable, total: Optional[int], text: str = '', **look: Any) -> tqdm:
    """Show a progress bar for an iteration.

    Args:
        items: the items to iterate over.
        total: number of items; None if unknown.
        text: text in front of the bar.
        **look: further arguments of :class:`tqdm.tqdm`.

    Returns:
        An iterable over the items.
    """
    from tqdm import tqdm

    return tqdm(
        items, total=total, desc=printable(text), leave=False, disable=not sys.stderr.isatty(), file=sys.stderr, **look
    )


@contextmanager
def byte_progress(text: str) -> Iterator[Callable[[int, Optional[int]], None]]:
    """Show a progress bar in bytes.

    Args:
        text: text in front of the bar.

    Yields:
        A function to call with the number of bytes done and the total number of bytes, None if unknown.
    """
    from tqdm import tqdm

    hidden = not sys.stderr.isatty()
    with tqdm(desc=printable(text), unit='B', unit_scale=True, leave=False, disable=hidden, file=sys.stderr) as bar:

        def show(done: int, total: Optional[int]) -> None:
            bar.total = total
            bar.update(done - bar.n)

        yield show


class ProgressLine:
    """The progress bar of a training run with its latest metrics: ``progress`` of :func:`gluon_cbam.training.train`."""

    def __call__(self, items: Iterable, total: int, text: str) -> tqdm:
        """Show the bar of an epoch; see :func:`progress_bar`."""
        look = {'dynamic_ncols': True, 'bar_format': '{desc} |{bar}| {n_fmt}/{total_fmt}'}
        self._bar = progress_bar(items, total, text, **look)
        return self._bar

    def say(self, text: str) -> None:
        """Change the text in front of the bar."""
        self._bar.set_description_str(text, refresh=False)


def show_log() -> None:
    """Write the log of the library to standard error; on a terminal, without the debug lines that the bar replaces."""
    import logging  # most commands do not need it

    from tqdm import tqdm

    class AboveBar(logging.Handler):
        """Writes log lines to standard error, above the bar."""

        def emit(self, record: logging.LogRecord) -> None:
            tqdm.write(printable(self.format(record), keep='\n\t'), file=sys.stderr)

    handler = AboveBar(logging.INFO if sys.stderr.isatty() else logging.DEBUG)
    logging.getLogger('gluon_cbam').addHandler(handler)
