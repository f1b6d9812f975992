"""Runs the command ``cbam``: ``python -m gluon_cbam --help``."""

from gluon_cbam.cli.main import cli

if __name__ == '__main__':
    cli()
