"""A store that this suite starts ends with the process that started it, however that ends."""

import os
import signal
import subprocess
import sys
import time

import requests

from demo.processes import ROOT
from tests.demo.processes import descendants
from tests.store.named import VARIABLE

START = """
import django, sys
django.setup()
from tests.store.started import store_under_test
with store_under_test() as store:
    print(store.endpoint_url, flush=True)
    sys.stdin.read()
"""
GONE_SECONDS = 120.0


def are_gone(pids: set[int]) -> bool:
    return not any(is_alive(pid) for pid in pids)


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_store_ends_with_the_process_that_started_it() -> None:
    environment = {
        "PATH": os.environ["PATH"],
        "DJANGO_SETTINGS_MODULE": "tests.settings",
        VARIABLE: os.environ.get(VARIABLE, "embedded"),
    }
    starter = subprocess.Popen(
        [sys.executable, "-c", START],
        cwd=ROOT,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with starter:
        url = starter.stdout.readline().strip() if starter.stdout else ""
        started = descendants(starter.pid)
        assert started
        assert requests.get(url, timeout=120).status_code in {200, 403}
        starter.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + GONE_SECONDS
    while not are_gone(started) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert are_gone(started)
