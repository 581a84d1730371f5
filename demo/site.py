"""The documentation site that the demo uploads: the project's own, or any folder."""

import mimetypes
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from demo.child import ROOT, Child
from demo.environment import bare_environment
from demo.errors import DemoError
from demo.folder import WorkFolder
from demo.service import last_lines

DEFAULT_TYPE = "application/octet-stream"
# What a file inside a compressed one is, is not what the file is.
COMPRESSED = {"gzip": "application/gzip", "bzip2": "application/x-bzip2", "xz": "application/x-xz"}


@dataclass(frozen=True, kw_only=True)
class SiteFile:
    """A file of a site; `name` is its path inside the site, with slashes."""

    path: Path
    name: str
    size: int
    content_type: str


def read_site(folder: Path) -> list[SiteFile]:
    """Every file below a folder, in order. Raises DemoError when there is nothing to upload."""
    if not folder.is_dir():
        raise DemoError(f"SITE={folder}: not a folder. Name one that holds a built site.")
    files = sorted(_files_below(folder), key=lambda file: file.name)
    if not files:
        raise DemoError(f"SITE={folder}: no files in it. Name a folder that holds a built site.")
    return files


@contextmanager
def begin_site(*, folder: WorkFolder, site: str) -> Iterator[Callable[[], list[SiteFile]]]:
    """Begin to make the site; the yielded function waits for it and reads it.

    A folder that is named is read at once. The project's own documentation is built meanwhile,
    beside the set-up of everything else.
    """
    if site:
        files = read_site(Path(site))
        yield lambda: files
        return
    log = folder.run / "sphinx.log"
    log.unlink(missing_ok=True)
    options = ["-q", "-b", "html", "-d", str(folder.doctrees)]
    command = [sys.executable, "-m", "sphinx", *options, str(ROOT / "docs"), str(folder.site)]
    with Child.tethered(command, env=bare_environment(), log=log) as build:
        yield lambda: _built_site(build, folder.site, log)


def _built_site(build: Child, site: Path, log: Path) -> list[SiteFile]:
    if build.wait() != 0:
        raise DemoError(f"Sphinx could not build docs/.\n{last_lines(log)}")
    return read_site(site)


def _files_below(folder: Path) -> Iterator[SiteFile]:
    for path in folder.rglob("*"):
        if path.is_file():
            yield SiteFile(
                path=path,
                name=_name_of(path, folder),
                size=path.stat().st_size,
                content_type=_content_type_of(path),
            )


def _name_of(path: Path, folder: Path) -> str:
    name = path.relative_to(folder).as_posix()
    try:
        name.encode()
    except UnicodeEncodeError:
        raise DemoError(f"{name!r}: its name is not UTF-8, so S3 has no key for it.") from None
    return name


def _content_type_of(path: Path) -> str:
    kind, encoding = mimetypes.guess_type(path.name)
    return COMPRESSED.get(encoding, DEFAULT_TYPE) if encoding else kind or DEFAULT_TYPE
