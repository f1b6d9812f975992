"""Runs the command ``cbam`` from a checkout: ``python cli.py --help``. The command itself is gluon_cbam/cli."""

from gluon_cbam.cli.main import cli

if __name__ == '__main__':
    cli()
