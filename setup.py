"""Compiles the operators of gluon_cbam.ops if there is a compiler; setup.cfg has the metadata.

Without a compiler, the installation continues without them: the networks then run on the operators of MXNet.
"""

import importlib.util
import sys
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

_FILE = Path(__file__).parent / 'gluon_cbam' / 'ops' / 'build.py'
_SPEC = importlib.util.spec_from_file_location('build_operators', str(_FILE))
operators = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(operators)


class BuildOperators(build_ext):
    """Compiles with gluon_cbam/ops/build.py, which can also compile after the installation."""

    def get_ext_filename(self, name):
        return str(Path(*name.split('.')[:-1], operators.LIBRARY.name))

    def build_extension(self, extension):
        try:
            operators.build(Path(self.get_ext_fullpath(extension.name)))
        except operators.CannotBuild as error:
            print(f'gluon_cbam.ops is left out: {error}', file=sys.stderr)  # new setuptools hide announce() with -q


setup(
    ext_modules=[Extension('gluon_cbam.ops.operators', [], optional=True)],
    cmdclass={'build_ext': BuildOperators},
)
