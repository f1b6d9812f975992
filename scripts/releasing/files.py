"""What is published of a release: wheels, source distribution, weights, documentation site, and their SHA-256."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import NamedTuple, Optional

import yaml

from gluon_cbam.common.errors import DataError, EnvironmentProblem
from gluon_cbam.common.files import sha256
from gluon_cbam.ops import build as operators
from gluon_cbam.zoo.registry import REGISTRY, cards_in

from .steps import announce, python, run

SUMS = 'SHA256SUMS'


class Reuse(NamedTuple):
    """What is taken from before instead of being made, to save the time of a dry run.

    Attributes:
        operators: take the compiled operators of the checkout, if they are of the same sources.
        site: the folder of a documentation site.
    """

    operators: bool = False
    site: Optional[Path] = None


def make(root, clone, made, version, reuse):
    """Make all files of the release in clone, in the new folder made."""
    made.mkdir()
    distributions(clone, made, version, reuse.operators)
    weights(clone, made)
    site(root, clone, made, version, reuse.site)
    sums = (f'{sha256(file)}  {file.name}\n' for file in sorted(made.iterdir()))
    (made / SUMS).write_text(''.join(sums))
    for file in sorted(made.iterdir()):
        announce(f'{file.stat().st_size:>11,} bytes  {file.name}')


def distributions(clone, made, version, reuse_operators):
    """The source distribution, and of that a wheel for any system and one with operators; all are checked."""
    build = ('build', '--no-isolation', '--outdir', made)
    announce('source distribution')
    python(*build, '--sdist', clone, cwd=made)
    name = f'gluon_cbam-{version}'
    shutil.unpack_archive(str(made / f'{name}.tar.gz'), str(clone.parent / 'unpacked'))
    source = clone.parent / 'unpacked' / name
    announce('wheel without operators, for the systems that have no mxnet or another one')
    python(*build, '--wheel', source, cwd=made, CXX='/no/compiler')
    announce('wheel with operators')
    if reuse_operators and operators.LIBRARY.is_file() and not operators.fault(operators.LIBRARY):
        shutil.copy(operators.LIBRARY, source / 'gluon_cbam' / 'ops')
    python(*build, '--wheel', source, cwd=made)
    _check(made, [f'{name}-py3-none-any.whl', f'{name}-py3-none-{operators.MANYLINUX}.whl', f'{name}.tar.gz'])


def _check(made, names):
    announce('auditwheel and twine')
    found = sorted(file.name for file in made.iterdir())
    if found != names:
        raise EnvironmentProblem(
            f'{", ".join(names)} should be there, but {", ".join(found)} are: the operators need g++ and old symbols'
        )
    seen = ' '.join(python('auditwheel', 'show', names[1], cwd=made).split())
    if f'is consistent with the following platform tag: "{operators.MANYLINUX}"' not in seen:
        raise EnvironmentProblem(f'auditwheel does not confirm {operators.MANYLINUX}: {seen}')
    python('twine', 'check', '--strict', *names, cwd=made)


def weights(clone, made):
    """The weights of this project with their cards, of which registry.yaml is the list."""
    announce('weights')
    cards = []
    for file in sorted((clone / 'zoo' / 'files').glob('*.params')):
        source = clone / 'zoo' / 'cards' / f'{file.stem}.yaml'
        (card,) = cards_in(source.read_text(encoding='utf-8'), str(source))
        if (card.sha256, card.bytes) != (sha256(file), file.stat().st_size):
            raise DataError(f'{file.name} is not the file of its card {source.name}: run scripts/train_zoo')
        for path in (source, *(file.with_suffix(ending) for ending in ('.params', '.json', '.log'))):
            shutil.copy(path, made)
        cards.append(yaml.safe_load(source.read_text(encoding='utf-8')))
    (made / REGISTRY).write_text(yaml.safe_dump(cards, sort_keys=False, allow_unicode=True), encoding='utf-8')


def site(root, clone, made, version, built):
    """The documentation site, an archive."""
    announce('documentation site')
    if built is None:
        run(root / 'scripts' / 'docs', cwd=root, CHECKOUT=str(clone))
        built = clone / 'build' / 'docs' / 'html'
    archive = made / f'gluon_cbam-{version}-docs'
    shutil.make_archive(str(archive), 'gztar', root_dir=str(built))
