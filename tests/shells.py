"""The POSIX shells of this machine, for tests of lines that shells evaluate."""

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

# Those that CI images bring: Debian's sh is dash, Alpine's is busybox, macOS has zsh.
KNOWN = {
    "sh": ["sh"],
    "dash": ["dash"],
    "bash": ["bash", "--norc"],
    "bash as sh": ["bash", "--posix"],
    "busybox sh": ["busybox", "sh"],
    "mksh": ["mksh"],
    "zsh": ["zsh", "--no-rcs"],
}
SHELLS = {name: command for name, command in KNOWN.items() if shutil.which(command[0])}

EVALUATE = 'lines=$(cat "$LINES_FILE") && eval "$lines"\n'


def evaluated(
    shell: list[str],
    lines: str,
    *,
    folder: Path,
    then: str = "",
    options: str = "-eu",
    environment: Mapping[str, str] | None = None,
) -> "subprocess.CompletedProcess[bytes]":
    """What a shell does that evaluates the lines, as a CI step would, and then something else.

    `folder` is its home; `TMPDIR` is in there unless `environment` says otherwise.
    """
    file = folder / "lines"
    file.write_text(lines, encoding="utf-8")
    (folder / "tmp").mkdir(exist_ok=True)
    own = {"HOME": str(folder), "TMPDIR": str(folder / "tmp"), "LINES_FILE": str(file)}
    env = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"} | own | dict(environment or {})
    command = [*shell, *options.split(), "-c", EVALUATE + then]
    return subprocess.run(command, env=env, cwd=folder, capture_output=True, check=False)
