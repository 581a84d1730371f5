"""`make demo`, as a process of its own."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from demo.child import ROOT
from tests.demo.processes import become, descendants, running

pytestmark = pytest.mark.loopback

PLAY = ["-m", "demo.play"]
# One more attempt, which the session's own policy allows.
PLAY_WITH_AN_ALLOWED_ATTEMPT = [
    "-c",
    "import sys\n"
    "from demo import attempts, play\n"
    "own_key = lambda s: s.put(f'{s.own.root}/added.html')\n"
    "attempts.ATTEMPTS.append(attempts.Attempt(title='write where it may', act=own_key))\n"
    "sys.exit(play.main())\n",
]


@pytest.fixture
def site(tmp_path: Path) -> Path:
    folder = tmp_path / "a site"
    (folder / "_static").mkdir(parents=True)
    (folder / "index.html").write_text("<h1>Ünïcode</h1>")
    (folder / "_static" / "größe 1.css").write_text("p {}")
    (folder / "empty.txt").touch()
    return folder


@contextmanager
def demo(tmp_path: Path, *arguments: str, **environment: str) -> Iterator["subprocess.Popen[str]"]:
    """A run of the demo in its own work folder; standard error with its output."""
    env = os.environ | {"DEMO_DIR": str(tmp_path / "work folder"), **environment}
    command = [sys.executable, *arguments]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    with subprocess.Popen(command, cwd=ROOT, env=env, text=True, **pipes) as process:
        yield process


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How a run ended, what it printed, and every process that it had started."""

    code: int
    output: str
    started: set[int]


def outcome(tmp_path: Path, *arguments: str, **environment: str) -> Outcome:
    started: set[int] = set()
    with demo(tmp_path, *arguments, **environment) as process:
        while process.poll() is None:
            started |= descendants(process.pid)
            time.sleep(0.2)
        output, _ = process.communicate()
    return Outcome(code=process.returncode, output=output, started=started)


def test_demo_succeeds_shows_it_and_leaves_nothing_running(tmp_path: Path, site: Path) -> None:
    # The user's own AWS settings, and a proxy, are none of the demo's business.
    noise = {"AWS_PROFILE": "missing", "HTTP_PROXY": "http://127.0.0.1:9", "LTD_DEBUG": "true"}
    ended = outcome(tmp_path, *PLAY, SITE=str(site), **noise)
    assert ended.code == 0, ended.output
    assert ended.output.count("refused: 403 AccessDenied") == 12
    for line in ("files    3", "bytes    22", "issued as json", "Every file arrived"):
        assert line in ended.output
    assert len(ended.started) > 4
    assert not running(ended.started)


def test_demo_fails_when_an_attempt_is_accepted(tmp_path: Path, site: Path) -> None:
    ended = outcome(tmp_path, *PLAY_WITH_AN_ALLOWED_ATTEMPT, SITE=str(site))
    problems = [line for line in ended.output.splitlines() if line.startswith("PROBLEM")]
    assert ended.code == 1
    assert "write where it may              NOT REFUSED: 200 accepted" in ended.output
    assert [problem.split()[1] for problem in problems] == ["not", "Not", "An"]


@pytest.mark.parametrize("site_path", ["missing", "."], ids=["missing", "empty"])
def test_demo_says_what_is_wrong_with_the_site(tmp_path: Path, site_path: str) -> None:
    (tmp_path / "empty").mkdir()
    ended = outcome(tmp_path, *PLAY, SITE=str(tmp_path / "empty" / site_path))
    assert (ended.code, ended.output.count("demo: SITE=")) == (1, 1)
    assert "Traceback" not in ended.output


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_interrupted_demo_leaves_nothing_running(
    tmp_path: Path, site: Path, sign: signal.Signals
) -> None:
    with demo(tmp_path, *PLAY, SITE=str(site)) as process:
        assert become(lambda: len(descendants(process.pid)) >= 3)  # the store, and more
        started = descendants(process.pid)
        process.send_signal(sign)
        process.communicate(timeout=120)
    assert process.returncode == (-sign if sign is signal.SIGKILL else 128 + sign)
    assert become(lambda: not running(started))
