"""scripts/release: what it refuses, and that a failing step leaves the checkout as it was. CI makes the real files."""

import subprocess
from pathlib import Path

import pytest
import release
from releasing import checkout, files, steps

from gluon_cbam.common.errors import CbamError, DataError, EnvironmentProblem, UsageError
from gluon_cbam.zoo.registry import cards_in

ROOT = Path(__file__).parent.parent.parent
_CHANGELOG = '# Changelog\n\n## 1.2.0 (unreleased)\n\n- A line.\n\n## 1.1.0 (unreleased)\n\n- Another.\n'


def git(folder, *words):
    author = ('-c', 'user.name=Ann', '-c', 'user.email=ann@localhost')
    done = subprocess.run(['git', *author, *words], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def state(folder):
    """All that a release may change."""
    kept = {path.name: path.read_text() for path in folder.rglob('*') if path.is_file() and '.git' not in path.parts}
    return git(folder, 'log', '--format=%H'), git(folder, 'tag'), git(folder, 'status', '--porcelain'), kept


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A repository with the files that a release changes."""
    folder = tmp_path / 'project'
    (folder / 'gluon_cbam').mkdir(parents=True)
    (folder / 'gluon_cbam' / '__init__.py').write_text("__version__ = '1.2.0.dev0'\n")
    (folder / 'CHANGELOG.md').write_text(_CHANGELOG)
    (folder / '.gitignore').write_text('dist/\n')
    (folder / 'setup.cfg').write_text('[metadata]\nurl = https://example.org/x\n')
    git(folder, 'init', '--quiet')
    git(folder, 'add', '--all')
    git(folder, 'commit', '--quiet', '--message', 'Begin')
    git(folder, 'config', 'user.name', 'Ann')
    git(folder, 'config', 'user.email', 'ann@localhost')
    monkeypatch.setattr(files, 'make', make_a_file)
    return folder


def make_a_file(root, clone, made, version, reuse):
    made.mkdir()
    (made / 'file').write_text((clone / 'gluon_cbam' / '__init__.py').read_text())


@pytest.mark.parametrize(
    ('version', 'change', 'message'),
    [
        ('1.2', None, "the version must be X.Y.Z, got '1.2'"),
        ('1.1.0', None, 'the version must be above 1.2.0.dev0, got 1.1.0'),
        ('1.3.0', None, "no section '## 1.3.0 (unreleased)'"),
        ('1.2.0', lambda folder: git(folder, 'tag', 'v1.2.0'), 'the tag v1.2.0 exists'),
        ('1.2.0', lambda folder: (folder / 'new').touch(), '1 files have changes, the first is new: commit them'),
        ('1.2.0', lambda folder: (folder / 'dist' / '1.2.0').mkdir(parents=True), 'exists: remove it'),
    ],
)
def test_refusals_change_nothing(project, version, change, message):
    if change:
        change(project)
    before = state(project)
    with pytest.raises(UsageError) as caught:
        release.release(project, version)
    assert message in str(caught.value)
    assert '\n' not in str(caught.value)
    assert state(project) == before


def test_an_empty_section_is_refused(project):
    (project / 'CHANGELOG.md').write_text(_CHANGELOG.replace('- A line.\n', ''))
    git(project, 'commit', '--quiet', '--all', '--message', 'Empty')
    with pytest.raises(UsageError, match='with text: write what changed'):
        release.release(project, '1.2.0')


def test_the_version_the_tag_and_the_files_are_taken_over(project, capsys):
    release.release(project, '1.2.0')
    assert git(project, 'log', '--format=%an: %s') == 'Ann: Release 1.2.0\nAnn: Begin'
    assert git(project, 'rev-parse', 'v1.2.0^{commit}') == git(project, 'rev-parse', 'HEAD')
    assert git(project, 'status', '--porcelain') == ''
    assert (project / 'dist' / '1.2.0' / 'file').read_text() == "__version__ = '1.2.0'\n"
    changelog = (project / 'CHANGELOG.md').read_text().splitlines()
    assert changelog[2].startswith('## 1.2.0 (2')
    assert changelog[3:] == _CHANGELOG.splitlines()[3:]
    assert 'twine upload' in capsys.readouterr().out
    assert checkout.unreleased(project) is None


@pytest.mark.parametrize('change', ['dry run', 'fails', 'moved on'])
def test_otherwise_the_checkout_is_as_before(project, monkeypatch, change):
    def make(root, clone, made, *others):
        make_a_file(root, clone, made, *others)
        if change == 'fails':
            raise EnvironmentProblem('a step failed')
        if change == 'moved on':
            git(root, 'commit', '--quiet', '--allow-empty', '--message', 'Meanwhile')

    monkeypatch.setattr(files, 'make', make)
    before = state(project)
    if change == 'dry run':
        (project / 'new').touch()
        before = state(project)
        release.release(project, '1.2.0', dry_run=True)
        assert state(project) == before
        return
    with pytest.raises(CbamError):
        release.release(project, '1.2.0')
    assert state(project)[1:] == before[1:]
    assert not list(project.glob('dist/*'))


def test_a_tool_that_is_not_installed_is_one_line(tmp_path, capfd):
    with pytest.raises(EnvironmentProblem, match=r"no module 'no_such_tool': pip install '\.\[release\]' installs it"):
        steps.python('no_such_tool', '--sdist', cwd=tmp_path)
    assert capfd.readouterr() == ('', '')


def test_weights_are_those_of_their_cards(tmp_path):
    (tmp_path / 'made').mkdir()
    zoo, tag = tmp_path / 'zoo', 'cbamnet_tiny.digits'
    for name in (f'cards/{tag}.yaml', f'files/{tag}.params', f'files/{tag}.json', f'files/{tag}.log'):
        (zoo / name).parent.mkdir(parents=True, exist_ok=True)
        (zoo / name).write_bytes((ROOT / 'gluon_cbam' / 'zoo' / name).read_bytes())
    files.weights(tmp_path, tmp_path / 'made')
    assert {path.name for path in (tmp_path / 'made').iterdir()} == {
        'registry.yaml',
        *(f'{tag}.{ending}' for ending in ('params', 'json', 'log', 'yaml')),
    }
    assert [card.tag for card in cards_in((tmp_path / 'made' / 'registry.yaml').read_text(), 'registry')] == [tag]
    with open(zoo / 'files' / f'{tag}.params', 'ab') as file:
        file.write(b'x')
    with pytest.raises(DataError, match='is not the file of its card'):
        files.weights(tmp_path, tmp_path / 'made')
