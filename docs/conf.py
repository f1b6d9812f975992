"""Configuration of the documentation site: ``scripts/docs`` builds it."""

import os
import sys
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent
sys.path[:0] = [str(HERE / '_extensions'), str(ROOT)]
os.environ['CBAM_KERNELS'] = 'graph'  # reading docstrings compiles and loads nothing

import sphinx  # noqa: E402

import gluon_cbam  # noqa: E402 (before mxnet, whose import it prepares)

project = 'gluon_cbam'
author = 'the gluon_cbam developers'
copyright = f'2026, {author}'  # noqa: A001
version = release = gluon_cbam.__version__

extensions = [
    'myst_parser',
    'sphinx.ext.autodoc',
    'sphinx.ext.napoleon',
    'sphinx.ext.viewcode',
    'sphinx_copybutton',
    'sphinx_design',
    'api_reference',
    'command_reference',
    'import_picture',
    'migration_table',
]
exclude_patterns = ['_build', '_static', '_extensions']
root_doc = 'index'
smartquotes = False  # options keep their two hyphens

# Markdown
myst_enable_extensions = ['colon_fence', 'deflist', 'dollarmath', 'fieldlist']
myst_heading_anchors = 4
suppress_warnings = ['myst.strikethrough']

# docstrings
autodoc_default_options = {'members': True, 'member-order': 'bysource', 'show-inheritance': True}
autodoc_preserve_defaults = sphinx.version_info >= (7, 2)  # before, it failed for dataclasses
add_module_names = False
autodoc_inherit_docstrings = False  # mxnet's are not written for Sphinx
autodoc_typehints_format = 'short'
maximum_signature_line_length = 88
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True
napoleon_custom_sections = [('Inputs', 'returns_style'), ('Outputs', 'returns_style')]
python_use_unqualified_type_names = True

# every reference to something of this package must resolve; these are defined elsewhere
nitpicky = True
_ELSEWHERE = (
    r'mx|mxnet|np|npt|numpy|nn|gluon|init|gluoncv|torch|onnx|onnxruntime|openvino|'
    r'click|cv2|yaml|requests|tqdm|matplotlib'
)
_STANDARD = (
    r'abc|typing|module|argparse|array|collections|concurrent|contextlib|ctypes|dataclasses|io|logging|multiprocessing|os|pathlib|pickle|pickletools|'
    r'socket|subprocess|tarfile|threading|types|xml|zipfile'
)
nitpick_ignore_regex = [
    (r'py:.*', rf'({_ELSEWHERE}|{_STANDARD})(\..*)?'),
    # imported for annotations alone, by their last names
    (r'py:.*', r'(Path|PathLike|SimpleNamespace|Context|HybridBlock|Block|NDArray|Symbol|ndarray|Executor)'),
    # words for types in docstrings
    (r'py:.*', r'(optional|iterable|callable|float32|int64|uint8|\d+)'),
    # private bases and variables of types, which have no page
    (r'py:.*', r'([\w.]*\.)?(_\w+|[A-Z]|Item|Key|Result|Decorated)'),
]

# pages
html_theme = 'furo'
html_title = f'gluon_cbam {release}'
html_static_path = ['_static']
html_css_files = ['site.css']
html_show_sphinx = False
html_copy_source = False
html_theme_options = {
    'light_css_variables': {'color-brand-primary': '#1c5d86', 'color-brand-content': '#1c5d86'},
    'dark_css_variables': {'color-brand-primary': '#7fbfe6', 'color-brand-content': '#7fbfe6'},
    'navigation_with_keys': True,
}
pygments_style = 'friendly'
pygments_dark_style = 'monokai'
copybutton_prompt_text = '$ '
copybutton_line_continuation_character = '\\'
copybutton_exclude = '.linenos, .gp, .go'
