"""The disk of the database is full, or may only be read: nothing is issued until that has ended."""

import errno
import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.demo.processes import become
from tests.faults.callers import Callers
from tests.faults.conftest import Services
from tests.faults.table import compare, times

pytestmark = [
    pytest.mark.faults,
    pytest.mark.skipif(os.getuid() != 0, reason="only root mounts a small disk"),
]
REFUSED = (503, "database_unavailable")


class Disk:
    """A small one, in memory."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._ballast = folder / "ballast"

    def mount(self, *options: str) -> None:
        shown = ",".join(("mode=0755", "size=160m", *options))
        subprocess.run(["mount", "-t", "tmpfs", "-o", shown, "tmpfs", self.folder], check=True)  # noqa: S607

    def unmount(self) -> None:
        subprocess.run(["umount", "--lazy", self.folder], check=True)  # noqa: S607

    def fill(self) -> None:
        with self._ballast.open("wb", buffering=0) as file:
            for size in (1 << 20, 1 << 12):
                try:
                    while file.write(bytes(size)):
                        pass
                except OSError as err:
                    assert err.errno == errno.ENOSPC  # noqa: PT017

    def empty(self) -> None:
        self._ballast.unlink()


@pytest.fixture
def disk() -> Iterator[Disk]:
    with tempfile.TemporaryDirectory(prefix="ltdkeeper-disk-") as folder:
        Path(folder).chmod(0o755)
        disk = Disk(Path(folder))
        disk.mount()
        yield disk
        disk.unmount()


def refused_more(callers: Callers) -> Callable[[], bool]:
    """Whether a caller was refused, or found nobody, since now."""
    before = callers.answers.total() - callers.answers[(200, "")]
    return lambda: callers.answers.total() - callers.answers[(200, "")] > before


def test_full_disk_issues_nothing_and_recovers(kind: str, disk: Disk, services: Services) -> None:
    service, tried = services.make(kind, disk.folder), times(10, 1)
    callers = Callers(service)
    with service.running(2), callers.asking():
        for _ in range(tried):
            callers.wait_for_more(16)
            is_refused = refused_more(callers)
            disk.fill()
            assert become(is_refused)
            disk.empty()
            if kind == "postgresql":
                service.server.end()
                service.server.start()
        callers.wait_for_more(16)
    compare("the database's disk is full", service, callers, tried)


@pytest.mark.parametrize("kind", ["sqlite"])
def test_file_that_may_only_be_read_issues_nothing(
    kind: str, disk: Disk, services: Services
) -> None:
    service, tried = services.make(kind, disk.folder), times(5, 1)
    callers = Callers(service)
    with service.running(), callers.asking():
        callers.wait_for_more()
    for _ in range(tried):
        disk.mount("remount", "ro")
        with service.running(ready="/livez"), callers.asking():
            callers.wait_to_be_told(REFUSED)
        disk.mount("remount", "rw")
        with service.running(), callers.asking():
            callers.wait_for_more(8)
    compare("the database's file may only be read", service, callers, tried)
