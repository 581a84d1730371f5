"""Ceph's programs: found, installed from the distribution's packages, or asked for."""

import os
import shutil
import subprocess

from demo.processes import DemoError

PROGRAMS = ("ceph", "ceph-mon", "ceph-osd", "monmaptool", "radosgw", "radosgw-admin")
UPDATE = ("apt-get", "update")
INSTALL = ("apt-get", "install", "-y", "--no-install-recommends", "radosgw", "ceph-mon", "ceph-osd")
COMMAND = f"sudo {' '.join(UPDATE)} && sudo {' '.join(INSTALL)}"
INSTALL_SECONDS = 600


def require_ceph() -> None:
    """See to it that Ceph's programs are there; root on Debian or Ubuntu gets them installed.

    Raises DemoError with the one command to type otherwise.
    """
    if not _missing():
        return
    if os.geteuid() == 0 and shutil.which("apt-get"):
        _install()
    if missing := _missing():
        raise DemoError(f"{', '.join(missing)} not found. On Debian and Ubuntu:\n  {COMMAND}")


def ceph_version() -> str:
    """The gateway's version, such as `16.2.15`."""
    answer = subprocess.run(["radosgw", "--version"], capture_output=True, text=True, check=True)  # noqa: S607
    return answer.stdout.split()[2].partition("-")[0]


def _missing() -> list[str]:
    return [program for program in PROGRAMS if shutil.which(program) is None]


def _install() -> None:
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    for command in (UPDATE, INSTALL):
        done = subprocess.run(
            command,
            env=environment,
            capture_output=True,
            text=True,
            timeout=INSTALL_SECONDS,
            check=False,
        )
        if done.returncode != 0:
            raise DemoError(f"`{' '.join(command)}` failed:\n{done.stderr[-1000:]}")
