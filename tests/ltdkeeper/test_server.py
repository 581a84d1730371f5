"""The server as the Procfile starts it: it stops whenever it is told to, and starts quietly."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests
from requests.adapters import HTTPAdapter
from urllib3 import Retry

from demo.service import free_port, procfile_command

pytestmark = [pytest.mark.loopback, pytest.mark.slow]

ROOT = Path(__file__).resolve().parents[2]
# Far more than it may take, so that only a process that never ends is too slow.
HANGS_SECONDS = 120
SET_UP = """
import django
from django.core.management import call_command
django.setup()
call_command("migrate", verbosity=0)
call_command("createcachetable")
call_command("ensure_store")
"""


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Of a service that is set up, with a store and a vendor's key."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    found = {
        "PATH": path,
        "DJANGO_SETTINGS_MODULE": "ltdkeeper.settings",
        "LTD_ENV_FILE": os.devnull,
        "LTD_SECRET_KEY": "only-for-tests-" * 5,
        "LTD_PUBLIC_URL": "https://keeper.example.org",
        "LTD_ALLOW_SQLITE": "true",
        "LTD_STORE_BUCKET": "docs",
        "LTD_STORE_ROLE_ARN": "arn:aws:iam::123456789012:role/upload",
        "DATABASE_URL": f"sqlite:///{tmp_path_factory.mktemp('server') / 'db.sqlite3'}",
        "AWS_ACCESS_KEY_ID": "AKIAVENDORONLYFORTESTS",
        "AWS_SECRET_ACCESS_KEY": "only-for-tests",
        "AWS_CONFIG_FILE": os.devnull,
        "HOST": "127.0.0.1",
    }
    command = [sys.executable, "-c", SET_UP]
    subprocess.run(command, cwd=ROOT, env=found, check=True, capture_output=True)
    return found


@contextmanager
def started(
    environment: dict[str, str], log: Path
) -> Iterator[tuple["subprocess.Popen[bytes]", str]]:
    """The server and its address; killed with all its processes at the end."""
    port = str(free_port())
    with log.open("wb") as file:
        process = subprocess.Popen(
            ["/bin/sh", "-c", f"exec {procfile_command('web')}"],
            cwd=ROOT,
            env=environment | {"PORT": port},
            stdout=file,
            stderr=file,
            start_new_session=True,
        )
    try:
        yield process, f"http://127.0.0.1:{port}"
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def wait_until_it_answers(address: str) -> None:
    give_up = time.monotonic() + HANGS_SECONDS
    with requests.Session() as http:
        http.trust_env = False
        while time.monotonic() < give_up:
            try:
                if http.get(f"{address}/livez", timeout=120).ok:
                    return
            except requests.ConnectionError:
                time.sleep(0.1)
    raise AssertionError("the server did not start")


@pytest.mark.parametrize("seconds", [0.1, 0.7, 1.5])
def test_server_that_is_told_to_stop_while_it_starts_ends(
    seconds: float, environment: dict[str, str], tmp_path: Path
) -> None:
    with started(environment, tmp_path / "log") as (process, _):
        time.sleep(seconds)
        process.terminate()
        assert process.wait(HANGS_SECONDS) in {0, -signal.SIGTERM}


def test_server_says_one_line_for_each_worker_and_refuses_no_call_while_it_reloads(
    environment: dict[str, str], tmp_path: Path
) -> None:
    log = tmp_path / "log"
    with started(environment | {"LTD_WEB_WORKERS": "1"}, log) as (process, address):
        wait_until_it_answers(address)
        old, give_up = worker_of(process), time.monotonic() + HANGS_SECONDS
        process.send_signal(signal.SIGHUP)
        with requests.Session() as http:
            # A connection that the old worker has not accepted is reset, if the kernel is so set.
            http.mount("http://", HTTPAdapter(max_retries=Retry(connect=0, read=1)))
            http.headers["Connection"] = "close"
            while old.exists():
                assert http.get(f"{address}/livez", timeout=120).ok
                assert time.monotonic() < give_up
            assert http.get(f"{address}/livez", timeout=120).ok
        process.terminate()
        assert process.wait(HANGS_SECONDS) == 0
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    told = [line["event"] for line in lines if line["event"] != "request"]
    assert told == ["server_started"] * 2


def worker_of(process: "subprocess.Popen[bytes]") -> Path:
    """What exists as long as the only worker does: the one child that runs granian's code."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    return Path("/proc", *children)


def test_server_with_wrong_settings_ends_with_a_line_for_each(
    environment: dict[str, str], tmp_path: Path
) -> None:
    log = tmp_path / "log"
    wrong = {"LTD_WEB_WORKERS": "1", "LTD_PUBLIC_READS": "ture"}
    with started(environment | wrong, log) as (process, _):
        assert process.wait(HANGS_SECONDS) != 0
    assert log.read_text().startswith("LTD_PUBLIC_READS=ture: neither true nor false. Example: ")
    assert "Traceback" not in log.read_text()
