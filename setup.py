"""Compiles the operators of gluon_cbam.ops if there is a compiler; setup.cfg has the metadata.

Without a compiler, the installation continues without them: the networks then run on the operators of MXNet. The
operators do not depend on Python, so a wheel with them is one for the machine, and a wheel without is for any.
"""

import configparser
import importlib.util
import re
import shutil
import sys
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_ext import build_ext

ROOT = Path(__file__).parent
_SPEC = importlib.util.spec_from_file_location('build_operators', str(ROOT / 'gluon_cbam' / 'ops' / 'build.py'))
operators = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(operators)


class BuildOperators(build_ext):
    """Compiles with gluon_cbam/ops/build.py, which can also compile after the installation."""

    def get_ext_filename(self, name):
        return str(Path(*name.split('.')[:-1], operators.LIBRARY.name))

    def build_extension(self, extension):
        target = Path(self.get_ext_fullpath(extension.name)).resolve()
        if operators.LIBRARY.is_file() and not operators.fault(operators.LIBRARY):  # compiled of these sources before
            if target != operators.LIBRARY.resolve():
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(operators.LIBRARY, target)
            return
        try:
            operators.build(target)
        except operators.CannotBuild as error:
            print(f'gluon_cbam.ops is left out: {error}', file=sys.stderr)  # new setuptools hide announce() with -q


class Wheel(bdist_wheel):
    """Tags the wheel by what is in it: the tag of a CPython would keep it from all others."""

    def run(self):
        if self._library().is_file():
            self._library().unlink()  # of an earlier build in the same folder
        self.run_command('build')
        self.skip_build = True
        if not self._library().is_file():
            self.distribution.ext_modules, self.root_is_pure = [], True
        super().run()

    def get_tag(self):
        library = self._library()
        return 'py3', 'none', operators.platform_tag(library) if library.is_file() else 'any'

    def _library(self):
        return Path(self.get_finalized_command('build').build_lib, 'gluon_cbam', 'ops', operators.LIBRARY.name)


def readme():
    """The README for the page of a package index, which has neither the pictures nor the other documents."""
    config = configparser.ConfigParser()
    config.read(ROOT / 'setup.cfg', encoding='utf-8')
    text = (ROOT / 'README.md').read_text(encoding='utf-8')
    text = re.sub(r'^!\[.*\]\(.*\)\n\n', '', text, flags=re.MULTILINE)
    return re.sub(r'\]\((?!\w+:|#)', f']({config["metadata"]["url"]}/', text)


setup(
    ext_modules=[Extension('gluon_cbam.ops.operators', [], optional=True)],
    cmdclass={'build_ext': BuildOperators, 'bdist_wheel': Wheel},
    long_description=readme(),
    long_description_content_type='text/markdown',
)
