"""Sites to upload: names, sizes and depths that uploaders and stores have stumbled over."""

import mimetypes
import random
import unicodedata
from collections.abc import Collection, Iterator
from pathlib import Path

# Beyond 8 MB, SDKs upload in parts.
LARGE_BYTES = 9 * 1024 * 1024
PLAIN = (
    "index.html",
    "search.js",
    "_static/style.css",
    "_static/logo.svg",
    "_images/figure 1.png",
    "a/b/c/d/e/f/g/h/deep.html",
    "api/v1+v2.html",
    "api/a=b&c.html",
    "api/100%25.html",
    "api/~tilde,comma.html",
    "api/it's (new)!.html",
    "api/hash#sign.html",
    "objects.inv",
    "without-ending",
    ".nojekyll",
)
# Both forms of the same letter: two different keys.
BEYOND_ASCII = (
    "überblick/日本語.html",
    f"{unicodedata.normalize('NFC', 'é')}.txt",
    f"{unicodedata.normalize('NFD', 'é')}.txt",
    "emoji/😀.html",
)
SEMICOLON = ("api/semi;colon.html",)
EVERY_NAME = PLAIN + SEMICOLON + BEYOND_ASCII
# What stores make wrong names of when a form is posted: MiniStack reads them as Latin-1, Ceph 16
# ends them at a semicolon.
MISREAD_IN_FORMS = {"ministack": BEYOND_ASCII, "ceph": SEMICOLON}
EMPTY, LARGE = "empty.txt", "downloads/large.bin"
UNKNOWN = "application/octet-stream"


def make_site(folder: Path, *, left_out: Collection[str] = ()) -> Path:
    """Write the site of odd names, with an empty file and one that goes up in parts."""
    for name in EVERY_NAME:
        if name not in left_out:
            _write(folder / name, f"<p>{name}</p>\n".encode())
    _write(folder / EMPTY, b"")
    _write(folder / LARGE, random.Random(5).randbytes(LARGE_BYTES))  # noqa: S311 - not a secret
    return folder


def make_pages(folder: Path, count: int, *, size: int = 2048) -> Path:
    """Write so many pages of one size, fifty in a folder."""
    for number in range(count):
        text = f"<p>{number}</p>".encode()
        _write(folder / f"{number // 50:02}" / f"page-{number}.html", text.ljust(size))
    return folder


def files_of(folder: Path) -> Iterator[tuple[str, Path]]:
    """Every file with its name inside the site."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            yield path.relative_to(folder).as_posix(), path


def guessed_type(name: str, *, unknown: str = UNKNOWN) -> str:
    """What uploaders say a file is: by its name, as Python's `mimetypes` knows it."""
    return mimetypes.guess_type(name)[0] or unknown


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
