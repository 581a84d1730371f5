"""Names that a client chooses below its root: directories for POSTs, keys for PUTs. Pure.

They become part of an object key and of a signed policy. In S3 a key is a name and not a path, so
nothing here could leave the root; but whoever serves or copies by path would read `..` or `//`
otherwise than it is stored, and stores disagree about `$` in a POST policy.
"""

from collections import Counter
from collections.abc import Callable, Sequence

from builds.names import has_controls

MAX_DIRECTORIES = 5000
MAX_FILES = 1000
MAX_KEY_BYTES = 1024  # AWS S3 user guide, "Naming Amazon S3 objects"
SHOWN = 100

TOP = "/"
# Wildcards and variables, which a POST policy could hold; a single key is signed as it is.
PATTERNS = frozenset("*?$")


class BadNameError(ValueError):
    """The first name of a request that is refused; the message shows it and says why."""


def check_directories(directories: Sequence[str], *, root_bytes: int) -> None:
    """Hold directories to the form in which LTD clients send them: `/`, or `name/`, `a/b/`.

    `root_bytes` is the length of the root that they lie below. Raises BadNameError.
    """
    _check_all(directories, MAX_DIRECTORIES, lambda name: _fault_of_directory(name, root_bytes))


def check_files(keys: Sequence[str], *, root_bytes: int) -> None:
    """Hold keys relative to the root to the form `name`, `a/b`. Raises BadNameError."""
    _check_all(keys, MAX_FILES, lambda name: _fault_of_file(name, root_bytes))


def files_prefix(root: str, directory: str) -> str:
    """What the keys of a directory's files begin with; it ends with a slash."""
    return f"{root}/" if directory == TOP else f"{root}/{directory}"


def directory_key(root: str, directory: str) -> str:
    """The key of the object that stands for a directory, without a slash at its end."""
    return files_prefix(root, directory).rstrip("/")


def _check_all(names: Sequence[str], limit: int, fault_of: Callable[[str], str]) -> None:
    if not names or len(names) > limit:
        raise BadNameError(f"1 to {limit} may be asked for at a time; these are {len(names)}.")
    for name in names:
        if fault := fault_of(name):
            raise BadNameError(f"{_shown(name)} {fault}.")
    if len(set(names)) < len(names):
        twice = next(name for name, count in Counter(names).items() if count > 1)
        raise BadNameError(f"{_shown(twice)} is there more than once.")


def _fault_of_directory(name: str, root_bytes: int) -> str:
    """Why a directory is refused; empty when it is not."""
    if name == TOP:
        return ""
    if not name.endswith("/"):
        return "does not end with a slash"
    if PATTERNS & set(name):
        return "holds a wildcard or a dollar sign"
    return _fault(name.removesuffix("/")) or _too_long(f"{name}x", root_bytes)


def _fault_of_file(name: str, root_bytes: int) -> str:
    return _fault(name) or _too_long(name, root_bytes)


def _fault(name: str) -> str:
    parts = name.split("/")
    if name.startswith("/"):
        return "begins with a slash, and names are relative to the root"
    if "" in parts:
        return "has an empty part"
    if "." in parts or ".." in parts:
        return "has a part that is . or .."
    if "\\" in name:
        return "holds a backslash"
    if has_controls(name):
        return "holds a control character"
    return ""


def _too_long(name: str, root_bytes: int) -> str:
    is_too_long = root_bytes + 1 + len(name.encode()) > MAX_KEY_BYTES
    return f"is too long: keys have at most {MAX_KEY_BYTES} bytes" if is_too_long else ""


def _shown(name: str) -> str:
    """A name in ASCII, quoted, not too long to read."""
    return ascii(name if len(name) <= SHOWN else f"{name[:SHOWN]}...")
