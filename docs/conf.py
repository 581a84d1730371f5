"""Sphinx settings. Nothing is fetched, neither while building nor while reading."""

import sys
from pathlib import Path

DOCS = Path(__file__).resolve().parent

sys.path[:0] = [str(DOCS), str(DOCS.parent)]
from ltdkeeper import __version__  # noqa: E402

extensions = ["pictures"]

project = "ltdkeeper"
version = release = __version__
language = "en"
nitpicky = True
smartquotes = False

html_theme = "furo"
html_title = f"{project} {version}"
html_static_path = ["_static"]
html_css_files = ["pages.css"]
html_show_copyright = False
