"""The programs under test: where they are installed, what they find around them, running them."""

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from demo.processes import ROOT, DemoError, bare_environment

INSTALLED = ROOT / ".build" / "clients"
FOLDER = Path(__file__).parent
REQUIREMENTS = FOLDER / "requirements"
UPLOADS = FOLDER / "uploads"
RUN_SECONDS = 300


def executable(program: str, name: str = "python") -> str:
    """A command of a program's own virtual environment. Raises DemoError without it."""
    path = INSTALLED / program / "bin" / name
    if not path.exists():
        raise DemoError(f"{path} is missing: `make test-clients` installs it.")
    return str(path)


def debians(name: str) -> str:
    """A program as Debian has it. Raises DemoError without it."""
    path = Path("/usr/bin") / name
    if not path.exists():
        raise DemoError(f"{path} is missing: `.ci/run` names the package that has it.")
    return str(path)


def client_environment(home: Path, *, endpoint_url: str, region: str) -> dict[str, str]:
    """What a CI job has around it: a home, the address of a store that is not AWS, no keys."""
    names = ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE")
    bare = {name: value for name, value in bare_environment().items() if name not in names}
    return bare | {
        "HOME": str(home),
        "AWS_ENDPOINT_URL": endpoint_url,
        "AWS_DEFAULT_REGION": region,
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def run(
    command: Sequence[str], *, env: Mapping[str, str], cwd: Path | None = None, code: int = 0
) -> str:
    """Run a program to its end; what it wrote, on standard output and then standard error."""
    done = subprocess.run(
        command,
        env=dict(env),
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=RUN_SECONDS,
        check=False,
    )
    written = done.stdout + done.stderr
    assert done.returncode == code, f"{command} ended with {done.returncode}:\n{written[-3000:]}"
    return written
