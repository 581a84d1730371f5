"""`.demo/env`: shell lines that point any uploader at what `make serve` runs.

. .demo/env
"""

import os
import secrets
import shlex
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

OWNER_ONLY = 0o600


@contextmanager
def written_env_file(path: Path, values: Mapping[str, str]) -> Iterator[None]:
    """The file while it is of use: it holds keys, so nobody else may ever read it.

    Empty values are left out. What a shell reads is exactly the value, whatever is in it.
    """
    lines = [f"export {name}={shlex.quote(value)}\n" for name, value in values.items() if value]
    # A new file, narrow from its first moment, then put in place of an older one.
    made = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL, OWNER_ONLY)
    with os.fdopen(descriptor, "w") as file:
        file.writelines(lines)
    made.replace(path)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
