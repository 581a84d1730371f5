"""The files of an older commit, whose own programs are run."""

import subprocess
from pathlib import Path

from demo.processes import ROOT

# The first commit of version 1.0.0, the last release.
RELEASED = "9907dbc"


def unpack(commit: str, tree: Path) -> bool:
    """Make the folder `tree` of a commit's files. False where the clone does not hold it."""
    archive = subprocess.run(["git", "archive", commit], cwd=ROOT, capture_output=True, check=False)  # noqa: S607
    if archive.returncode == 0:
        tree.mkdir()
        subprocess.run(["tar", "-x", "-C", str(tree)], input=archive.stdout, check=True)  # noqa: S607
    return archive.returncode == 0
