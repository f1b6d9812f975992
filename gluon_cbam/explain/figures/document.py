"""The folder of a report: plots and other pictures as PNG, and a page with all of them in one file."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable, Dict, Sequence

from gluon_cbam.common.files import PathLike, atomic_path, refuse_existing, write_text

from .html import STYLE, escaped, png_source

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
            note: what is said below it, as text.
            about: what the figures are of: a line for each.
            parts: what follows, tables and pictures, as HTML.

        Returns:
            Its path.
        """
        lines = ''.join(f'<br>{escaped(name)}: {escaped(str(value))}' for name, value in about.items())
        page = _PAGE.format(
            style=STYLE, title=escaped(title), note=escaped(note), about=lines, parts='\n'.join(parts)
        )  # fmt: skip
        write_text(self._directory / REPORT, page)
        return self._directory / REPORT


def table_of(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table as HTML.

    Args:
        head: the names of the columns, as text.
        rows: the cells of each row, as text.
    """
    columns = ''.join(f'<th>{escaped(name)}</th>' for name in head)
    body = ''.join(f'<tr>{"".join(f"<td>{escaped(cell)}</td>" for cell in row)}</tr>\n' for row in rows)
    return f'<div class=wide><table><thead><tr>{columns}</tr></thead>\n<tbody>{body}</tbody></table></div>'


_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width,initial-scale=1">
<title>{title}</title>
<style>
{style}
td {{ overflow-wrap: normal }} .wide {{ overflow-x: auto }}
.plot {{ max-width: 100%; height: auto; display: block; margin: .6rem 0 }}
figure {{ margin: 1rem 0 }} figure div {{ display: flex; flex-wrap: wrap; gap: .4rem }}
figure img {{ max-width: 100%; height: auto }} figcaption {{ color: #555; overflow-wrap: anywhere }}
</style>
</head>
<body>
<h1>{title}</h1>
<p>{note}{about}</p>
{parts}
</body>
</html>
"""
