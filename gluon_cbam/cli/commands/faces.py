"""``cbam faces``: embeddings of faces, verification, identification, comparison and search."""

from __future__ import annotations

import click

from gluon_cbam.cli.errors import Group

from .faces_compare import compare, search
from .faces_embed import embed
from .faces_identify import identify
from .faces_verify import verify


@click.group(cls=Group)
def faces() -> None:
    """Embed, verify, identify, compare and search faces."""


for command in (embed, verify, identify, compare, search):
    faces.add_command(command)
