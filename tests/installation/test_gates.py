"""The tools that check the code have the same versions before a commit and in CI."""

import configparser
import re
from pathlib import Path

import yaml

ROOT = Path(__file__).parent.parent.parent


def test_versions_of_the_tools_agree():
    setup = configparser.ConfigParser()
    setup.read(ROOT / 'setup.cfg')
    pinned = set(re.findall(r'^[\w-]+==[\d.]+$', setup['options.extras_require']['test'], re.MULTILINE))
    config = yaml.safe_load((ROOT / '.pre-commit-config.yaml').read_text())
    hooks = {hook['id']: hook for repository in config['repos'] for hook in repository['hooks']}
    assert set(hooks) == {'ruff', 'ruff-format', 'clang-format', 'mypy'}
    used = {requirement for hook in hooks.values() for requirement in hook.get('additional_dependencies', ())}
    assert used <= pinned, 'the versions of setup.cfg'
    for name in (
        'ruff check',
        'ruff format',
        'mypy',
        'clang-format',
        'demo',
        'docs',
        'release',
        'container',
        'sanitize',
        'test',
    ):
        assert name in (ROOT / '.ci' / 'run').read_text().replace('"$bin/ruff"', 'ruff')
