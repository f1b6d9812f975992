"""The folder of a report: plots and other pictures as PNG, and a page with all of them in one file."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable, Dict, Sequence

from gluon_cbam.common.files import PathLike, atomic_path, refuse_existing, write_text

from .html import escaped, page_of, png_source

REPORT = 'report.html'
"""The name of the page."""
Draw = Callable[[Path], None]
"""Draws a PNG file."""


class Document:
    """A report that is being written.

    Args:
        directory: its folder, created if it does not exist.
        files: all files that it may have.
        overwrite: whether they may exist.

    Raises:
        UsageError: a file exists.
    """

    def __init__(self, directory: PathLike, files: Sequence[Path], overwrite: bool) -> None:
        refuse_existing(files, overwrite)
        self._directory = Path(directory)
        self._directory.mkdir(parents=True, exist_ok=True)
        for file in files:  # of another report, which had more pictures
            file.unlink(missing_ok=True)

    def figure(self, name: str, draw: Draw) -> str:
        """Draw a picture.

        Args:
            name: the name of its file.
            draw: draws it.

        Returns:
            The element of the page that shows it.
        """
        path = self._directory / name
        with atomic_path(path) as temporary:
            draw(temporary)
        return f'<img class=plot src="{png_source(path)}" alt="{escaped(name)}">'

    def write(self, title: str, note: str, about: Dict[str, Any], parts: Sequence[str]) -> Path:
        """Write the page.

        Args:
            title: its title, as text.
            note: what is said below it, as text, of which line breaks are spaces.
            about: what the figures are of: a line for each.
            parts: what follows, tables and pictures, as HTML.

        Returns:
            Its path.
        """
        lines = ''.join(f'<br>{escaped(name)}: {escaped(str(value))}' for name, value in about.items())
        body = '\n'.join([f'<p>{escaped(" ".join(note.split()))}{lines}</p>', *parts])
        write_text(self._directory / REPORT, page_of(title, _STYLE, body))
        return self._directory / REPORT


_STYLE = """td { overflow-wrap: normal } .wide { overflow-x: auto }
.plot { max-width: 100%; height: auto; display: block; margin: .6rem 0 }
figure { margin: 1rem 0 } figure div { display: flex; flex-wrap: wrap; align-items: flex-start; gap: .4rem }
figure img { max-width: 100%; height: auto } figcaption { color: #555; overflow-wrap: anywhere }"""
