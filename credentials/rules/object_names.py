"""Names that a client chooses below its root: directories for POSTs, keys for PUTs. Pure.

They become part of an object key and of a signed policy. In S3 a key is a name and not a path, so
nothing here could leave the root; but whoever serves or copies by path would read `..` or `//`
otherwise than it is stored, and stores disagree about `$` in a POST policy.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial

from builds.names import has_controls
from credentials.errors import BadDirectory, BadFile

MAX_DIRECTORIES = 5000
MAX_FILES = 1000
MAX_KEY_BYTES = 1024  # AWS S3 user guide, "Naming Amazon S3 objects"
QUOTED_LENGTH = 100

TOP = "/"
# Wildcards and variables, which a POST policy could hold; a single key is signed as it is.
PATTERNS = frozenset("*?$")


def check_directories(directories: Sequence[str], *, root_bytes: int) -> None:
    """Hold directories to the form in which LTD clients send them: `/`, or `name/`, `a/b/`.

    `root_bytes` is the length of the root that they lie below. Raises BadDirectory, which names
    the first one that is refused and says why.
    """
    fault_of = partial(_fault_of_directory, root_bytes=root_bytes)
    if fault := _first_fault(directories, MAX_DIRECTORIES, fault_of):
        raise BadDirectory(f"directories: {fault}")


def check_files(keys: Sequence[str], *, root_bytes: int) -> None:
    """Hold keys relative to the root to the form `name`, `a/b`. Raises BadFile."""
    fault_of = partial(_fault_of_file, root_bytes=root_bytes)
    if fault := _first_fault(keys, MAX_FILES, fault_of):
        raise BadFile(f"files: {fault}")


def files_prefix(root: str, directory: str) -> str:
    """What the keys of a directory's files begin with; it ends with a slash."""
    return f"{root}/" if directory == TOP else f"{root}/{directory}"


def directory_key(root: str, directory: str) -> str:
    """The key of the object that stands for a directory, without a slash at its end."""
    return f"{root}/{directory}".rstrip("/")


def _first_fault(names: Sequence[str], limit: int, fault_of: Callable[[str], str]) -> str:
    """A sentence about the first name that is refused; empty when none is."""
    if not names or len(names) > limit:
        return f"1 to {limit} may be asked for at a time; these are {len(names)}."
    for name in names:
        if fault := fault_of(name):
            return f"{_quoted(name)} {fault}."
    if len(set(names)) < len(names):
        twice = next(name for name, count in Counter(names).items() if count > 1)
        return f"{_quoted(twice)} is there more than once."
    return ""


def _fault_of_directory(name: str, root_bytes: int) -> str:
    """Why a directory is refused; empty when it is not."""
    if name == TOP:
        return ""
    if not name.endswith("/"):
        return "does not end with a slash"
    if PATTERNS & set(name):
        return "contains a wildcard or a dollar sign"
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


def _quoted(name: str) -> str:
    """A name in ASCII, quoted, not too long to read."""
    return ascii(name if len(name) <= QUOTED_LENGTH else f"{name[:QUOTED_LENGTH]}...")
