"""Progress bars and log lines on standard error; bars are shown on a terminal only."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Callable, Iterable, Iterator, Optional

if TYPE_CHECKING:
    from tqdm import tqdm


def progress_bar(items: Iterable, total: Optional[int], text: str = '', **look: Any) -> tqdm:
    """Show how far an iteration is.

    Args:
        items: what is iterated over.
        total: how many there are; None where that is not known.
        text: in front of the bar.
        **look: further arguments of :class:`tqdm.tqdm`.

    Returns:
        An iterable of the items.
    """
    from tqdm import tqdm

    return tqdm(items, total=total, desc=text, leave=False, disable=not sys.stderr.isatty(), file=sys.stderr, **look)


@contextmanager
def byte_progress(text: str) -> Iterator[Callable[[int, Optional[int]], None]]:
    """Show how many bytes of a transfer are done.

    Args:
        text: in front of the bar.

    Yields:
        A function of the number of bytes that are done and of all bytes, None where that is not known.
    """
    from tqdm import tqdm

    hidden = not sys.stderr.isatty()
    with tqdm(desc=text, unit='B', unit_scale=True, leave=False, disable=hidden, file=sys.stderr) as bar:

        def show(done: int, total: Optional[int]) -> None:
            bar.total = total
            bar.update(done - bar.n)

        yield show


class ProgressLine:
    """The bar of a training run, with the latest readings: the ``progress`` of :func:`gluon_cbam.training.train`."""

    def __call__(self, items: Iterable, total: int, text: str) -> tqdm:
        """Show how far an epoch is: see :func:`progress_bar`."""
        look = {'dynamic_ncols': True, 'bar_format': '{desc} |{bar}| {n_fmt}/{total_fmt}'}
        self._bar = progress_bar(items, total, text, **look)
        return self._bar

    def say(self, text: str) -> None:
        """Show a text in front of the bar from now on."""
        self._bar.set_description_str(text, refresh=False)


def show_log() -> None:
    """Show what the library logs: on a terminal, where a bar shows the progress, without the line of each interval."""
    import logging  # here, since most commands log nothing

    from tqdm import tqdm

    class AboveBar(logging.Handler):
        """Writes log lines to standard error, above the bar."""

        def emit(self, record: logging.LogRecord) -> None:
            tqdm.write(self.format(record), file=sys.stderr)

    handler = AboveBar(logging.INFO if sys.stderr.isatty() else logging.DEBUG)
    logging.getLogger('gluon_cbam').addHandler(handler)
