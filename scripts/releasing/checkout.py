"""The repository of a release: what is refused, the commit with its version, and taking it over."""

from __future__ import annotations

import configparser
import re
import shutil
from datetime import date
from pathlib import Path

from packaging.version import Version

from gluon_cbam.common.errors import EnvironmentProblem, UsageError

from .steps import announce, run

_VERSION = re.compile(r"^__version__ = '(.+)'$", re.MULTILINE)
_SECTION = r'^## {version} \(unreleased\)\n(?P<text>(?:(?!## ).*\n?)*)'


def check(root, version, dry_run):
    """Refuse a version that is none, not above the current one, tagged, made or not described; and changed files."""
    if not re.fullmatch(r'\d+\.\d+\.\d+', version):
        raise UsageError(f'the version must be X.Y.Z, got {version!r}')
    current = _VERSION.search(_init(root).read_text())[1]
    if Version(version) <= Version(current):
        raise UsageError(f'the version must be above {current}, got {version}')
    section = re.search(_SECTION.format(version=re.escape(version)), _changelog(root).read_text(), re.MULTILINE)
    if section is None or not section['text'].strip():
        raise UsageError(f"CHANGELOG.md has no section '## {version} (unreleased)' with text: write what changed")
    if run('git', 'tag', '--list', tag_of(version), cwd=root).strip():
        raise UsageError(f'the tag {tag_of(version)} exists: choose another version, or git tag -d {tag_of(version)}')
    if folder_of(root, version).exists() and not dry_run:
        raise UsageError(f'{folder_of(root, version)} exists: remove it')
    changed = run('git', 'status', '--porcelain', cwd=root).splitlines()
    if changed and not dry_run:
        raise UsageError(f'{len(changed)} files have changes, the first is {changed[0][3:]}: commit them')
    if changed:
        announce(f'the changes of {len(changed)} files are not committed, and left out')


def unreleased(root):
    """The version of the first section of CHANGELOG.md, if that is unreleased; else None."""
    first = re.search(r'^## .*', _changelog(root).read_text(), re.MULTILINE)
    found = first and re.fullmatch(r'## (\d+\.\d+\.\d+) \(unreleased\)', first[0])
    return found and found[1]


def clone_release(root, version, clone, dry_run):
    """Clone root, set the version, date its section of the changelog, commit and tag."""
    run('git', 'clone', '--quiet', root, clone, cwd=root)
    _replace(_init(clone), _VERSION.pattern, f"__version__ = '{version}'")
    _replace(_changelog(clone), rf'^## {re.escape(version)} \(unreleased\)$', f'## {version} ({date.today()})')
    author = _author(root, dry_run)
    run('git', 'commit', '--quiet', '--all', '--message', f'Release {version}', cwd=clone, **author)
    run('git', 'tag', '--annotate', '--message', f'gluon_cbam {version}', tag_of(version), cwd=clone, **author)


def take_over(root, version, clone, made):
    """Take the files, the commit and the tag over into root: all of them, or none."""
    tag, folder = tag_of(version), folder_of(root, version)
    folder.parent.mkdir(exist_ok=True)
    shutil.move(str(made), str(folder))
    try:
        run('git', 'fetch', '--quiet', '--no-tags', clone, f'refs/tags/{tag}', cwd=root)
        run('git', 'merge', '--quiet', '--ff-only', 'FETCH_HEAD', cwd=root)
        run('git', 'fetch', '--quiet', '--no-tags', clone, f'refs/tags/{tag}:refs/tags/{tag}', cwd=root)
    except EnvironmentProblem:
        shutil.rmtree(folder)
        raise


def tag_of(version):
    return f'v{version}'


def folder_of(root, version):
    """Where the files of a release are kept."""
    return root / 'dist' / version


def url(root):
    """The address of the project."""
    config = configparser.ConfigParser()
    config.read(root / 'setup.cfg', encoding='utf-8')
    return config['metadata']['url']


def _init(root):
    return root / 'gluon_cbam' / '__init__.py'


def _changelog(root):
    return root / 'CHANGELOG.md'


def _replace(file: Path, pattern, text):
    content, count = re.subn(pattern, text, file.read_text(), flags=re.MULTILINE)
    if count != 1:
        raise EnvironmentProblem(f'{file.name} has {count} lines {pattern} instead of one: nothing was released')
    file.write_text(content)


def _author(root, dry_run):
    """Who commits, as variables for git: the author of root, whose settings a clone lacks. A dry run needs none."""
    name, email = 'dry run', 'dry-run@localhost'
    if not dry_run:
        found = re.fullmatch(r'(.*) <(.*)> .*', run('git', 'var', 'GIT_COMMITTER_IDENT', cwd=root).strip())
        name, email = found[1], found[2]
    return {f'GIT_{who}_{what}': value for who in ('AUTHOR', 'COMMITTER') for what, value in _items(name, email)}


def _items(name, email):
    return ('NAME', name), ('EMAIL', email)
