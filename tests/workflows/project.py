"""A project that has documentation, and the folders of its jobs."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from demo.processes import ROOT
from tests.clients.programs import executable

CONF = 'project = "Handbook"\nhtml_extra_path = ["extra"]\n'
# What a hostile build could put into a site: the folder `html` as Python's package of that name.
HOSTILE = 'raise SystemExit("a file of the site was run")\n'
PYTHON = f"""#!/bin/sh
case "$*" in
  "-I -m pip "*) exit 0 ;;
  "-I -m ltdkeeper_upload "*) shift; PYTHONPATH={ROOT}/client exec {{uploader}} -P "$@" ;;
  *ltdkeeper_upload*) exec {{uploader}} "$@" ;;
esac
exec {{python}} "$@"
"""
INDEX = "Handbook\n========\n\nHello.\n"


def write_project(folder: Path) -> None:
    """What is in the repository."""
    (folder / "docs" / "extra").mkdir(parents=True)
    (folder / "docs" / "extra" / "__init__.py").write_text(HOSTILE)
    (folder / "docs" / "conf.py").write_text(CONF)
    (folder / "docs" / "index.rst").write_text(INDEX)


def programs(folder: Path) -> str:
    """A `PATH` with what an image of the CI system has: python with Sphinx, aws, the usual.

    Packages are not installed: they are there, those of ltdkeeper-upload apart.
    """
    folder.mkdir(parents=True)
    python = PYTHON.format(python=sys.executable, uploader=executable("ltdkeeper-upload"))
    for name, script in {"apk": "#!/bin/sh\nexit 0\n", "python3": python}.items():
        (folder / name).write_text(script)
        (folder / name).chmod(0o755)
    (folder / "aws").symlink_to(executable("aws-cli", "aws"))
    return os.pathsep.join([str(folder), str(Path(sys.executable).parent), os.environ["PATH"]])


def run_script(
    shell: Sequence[str], script: str, *, folder: Path, environment: Mapping[str, str]
) -> str:
    """Run a script as a file, as CI systems do; what it printed. Raises AssertionError."""
    file = folder.parent / "script"
    file.write_text(script)
    done = subprocess.run(
        [*shell, str(file)],
        cwd=folder,
        env=dict(environment),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    printed = done.stdout + done.stderr
    assert done.returncode == 0, f"{script}\n{printed[-3000:]}"
    return printed


def copy(source: Path, target: Path) -> None:
    """As artifacts are kept and fetched."""
    shutil.copytree(source, target, dirs_exist_ok=True)
