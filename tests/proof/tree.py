"""A copy of the working tree to change at will; the checkout itself is never touched."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).resolve().parent.parent.parent
COPIED = ("builds", "credentials", "demo", "ltdkeeper", "tests", "manage.py", "pyproject.toml")


@contextmanager
def copied_tree() -> Iterator[Path]:
    """The sources and tests in a folder of their own, without caches."""
    with TemporaryDirectory(prefix="ltdkeeper-mutants-") as folder:
        copy = Path(folder) / "tree"
        copy.mkdir()
        for name in COPIED:
            _copy(ROOT / name, copy / name)
        yield copy


def _copy(source: Path, target: Path) -> None:
    if source.is_file():
        shutil.copy2(source, target)
        return
    shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
