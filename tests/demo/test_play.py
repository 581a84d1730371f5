"""`make demo`, as a process of its own, and what it notices."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from demo.job import Published, read_site
from demo.play import leaks, problems_of
from demo.processes import ROOT
from tests.demo.processes import become, descendants, running


@pytest.fixture
def site(tmp_path: Path) -> Path:
    folder = tmp_path / "a site"
    (folder / "_static").mkdir(parents=True)
    (folder / "index.html").write_text("<h1>Ünïcode</h1>")
    (folder / "_static" / "größe 1.css").write_text("p {}")
    (folder / "empty.txt").touch()
    return folder


@contextmanager
def demo(tmp_path: Path, **environment: str) -> Iterator["subprocess.Popen[str]"]:
    """A run of the demo in its own work folder; standard error with its output."""
    env = os.environ | {"DEMO_DIR": str(tmp_path / "work folder"), **environment}
    command = [sys.executable, "-m", "demo.play"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    with subprocess.Popen(command, cwd=ROOT, env=env, text=True, **pipes) as process:
        yield process


def test_demo_succeeds_shows_it_and_leaves_nothing_running(tmp_path: Path, site: Path) -> None:
    # The user's own AWS settings, and a proxy, are none of the demo's business.
    noise = {"AWS_PROFILE": "missing", "HTTP_PROXY": "http://127.0.0.1:9", "LTD_DEBUG": "true"}
    with demo(tmp_path, SITE=str(site), **noise) as process:
        assert become(lambda: len(descendants(process.pid)) > 4 or process.poll() is not None)
        started = descendants(process.pid)
        output, _ = process.communicate()
    assert process.returncode == 0, output
    lines = (
        *("files          3", "bytes          22", "status         active"),
        *("client         demo", "Isolation holds", "Every file arrived"),
    )
    assert [line for line in lines if line not in output] == []
    assert started
    assert not running(started)


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_interrupted_demo_leaves_nothing_running(
    tmp_path: Path, site: Path, sign: signal.Signals
) -> None:
    with demo(tmp_path, SITE=str(site)) as process:
        assert become(lambda: len(descendants(process.pid)) >= 3)  # the store, and more
        started = descendants(process.pid)
        process.send_signal(sign)
        process.communicate()
    assert process.returncode == (-sign if sign is signal.SIGKILL else 128 + sign)
    assert become(lambda: not running(started))


def test_demo_reports_what_is_wrong_with_the_site(tmp_path: Path) -> None:
    with demo(tmp_path, SITE=str(tmp_path / "missing")) as process:
        output, _ = process.communicate()
    assert (process.returncode, output.count("demo: SITE=")) == (1, 1)
    assert "Traceback" not in output


@pytest.mark.parametrize(
    ("counted", "is_isolated", "problems"),
    [
        ((3, 22), True, 0),
        ((None, None), True, 0),
        ((4, 22), True, 1),
        ((3, 23), True, 1),
        ((3, 22), False, 1),
    ],
    ids=["right", "uncounted", "files", "bytes", "no isolation"],
)
def test_what_is_not_as_it_must_be_is_a_problem(
    site: Path, counted: Any, *, is_isolated: bool, problems: int
) -> None:
    build = dict(zip(("object_count", "byte_count"), counted, strict=True))
    published = Published(build=build, credentials={}, upload_seconds=0.0)
    found = problems_of(published, files=read_site(site), is_isolated=is_isolated)
    assert len(found) == problems


@pytest.mark.parametrize("spelling", ["se/cr+et", "se%2Fcr%2Bet"])
def test_kept_secret_is_found(tmp_path: Path, spelling: str) -> None:
    kept = tmp_path / "log"
    kept.write_bytes(b"\x00before" + spelling.encode() + b"after")
    assert leaks(secrets={"the token": "se/cr+et"}, files=[kept]) == ["the token stands in log"]
    assert leaks(secrets={"the token": "another"}, files=[kept]) == []
