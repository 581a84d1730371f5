"""Two jobs of one client, on one product, at the same time: neither meets the other's build."""

import subprocess
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from hashlib import sha256
from pathlib import Path

import pytest

from tests.clients.jobs import begin_job
from tests.clients.matrix import Row
from tests.clients.programs import UPLOADS, executable
from tests.clients.scene import PRODUCT, Scene

PAGES = [f"page-{number}" for number in range(5)]
# Every step of the first job lies between steps of the second.
STEPS = ["register", *(f"put {page}" for page in PAGES), "finish"]


class SteppedJob:
    """A job that waits for each step to be told."""

    def __init__(self, process: "subprocess.Popen[str]", token: str) -> None:
        self._process = process
        self.mark = token[-8:].encode()
        self.root = ""

    def do(self, step: str) -> None:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(f"{step}\n")
        self._process.stdin.flush()
        self.root = self._process.stdout.readline().strip()
        assert self.root, f"{step}: {self._process.communicate()[1][-2000:]}"


@contextmanager
def stepped_job(job: Mapping[str, str]) -> Iterator[SteppedJob]:
    command = [executable("boto3"), str(UPLOADS / "job_in_steps.py")]
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command, env=dict(job), stdin=pipe, stdout=pipe, stderr=pipe, text=True
    ) as process:
        yield SteppedJob(process, job["LTD_PASSWORD"])
        process.communicate(timeout=120)
    assert process.returncode == 0


@pytest.mark.way("two jobs, interleaved")
def test_each_job_writes_below_its_own_root(scene: Scene, row: Row, tmp_path: Path) -> None:
    with ExitStack() as stack:
        first, second = (
            stack.enter_context(stepped_job(job)) for job in jobs_of_one_client(scene, tmp_path)
        )
        with scene.counter.counting() as counts:
            for step in STEPS:
                first.do(step)
                second.do(step)
    assert first.root != second.root
    for job in (first, second):
        tree = scene.tree_below(scene.account.bucket, job.root)
        digests = {name: file.digest for name, file in tree.items()}
        assert digests == dict.fromkeys(PAGES, sha256(job.mark).hexdigest())
    assert counts.seen == row.promised


def jobs_of_one_client(scene: Scene, folder: Path) -> Iterator[dict[str, str]]:
    for name in ("first", "second"):
        own = folder / name
        own.mkdir()
        yield begin_job(scene, PRODUCT, own)
