"""Sphinx settings. Nothing is fetched, neither while building nor while reading."""

import sys
import tomllib
from pathlib import Path

DOCS = Path(__file__).resolve().parent
PYPROJECT = DOCS.parent / "pyproject.toml"

sys.path.insert(0, str(DOCS))
extensions = ["pictures"]

_project = tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))["project"]

project = _project["name"]
version = release = _project["version"]
language = "en"
nitpicky = True
smartquotes = False

html_theme = "furo"
html_title = f"{project} {version}"
html_static_path = ["_static"]
html_css_files = ["pages.css"]
html_show_copyright = False
