"""A program for test_revoking.py: records decisions, and writes them in children that are killed.

One JSON list per line of standard input: `["revoke", ACCESS_KEY_ID]`, or `["write", SECONDS]`,
after which the child is killed (null: never). It answers each with a line. Python and Django
are loaded once, so that the kills fall into the work and not into the start.
"""

# ruff: noqa: E402 - models are imported when Django is set up
import json
import os
import signal
import sys
import time
from io import StringIO

import django

django.setup()

from django.core.management import call_command
from django.db import connections
from django.utils import timezone

from credentials.access.clients import command_line_user
from credentials.models import Lease
from credentials.operations.revocation_targets import find_target
from credentials.operations.revoking import revoke


def record(access_key_id: str) -> None:
    target = find_target(kind="session", text=access_key_id)
    revoke(target=target, reason="killed", by=command_line_user(), now=timezone.now())


def write(seconds: float | None) -> None:
    """A run that was killed holds its lease for two minutes: here they pass at once."""
    connections.close_all()
    child = os.fork()
    if child == 0:
        try:
            call_command("write_revocations", stdout=StringIO())
        finally:
            os._exit(0)
    if seconds is not None:
        time.sleep(seconds)
        os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    if seconds is not None:
        Lease.objects.all().delete()


for line in sys.stdin:
    what, value = json.loads(line)
    {"revoke": record, "write": write}[what](value)
    sys.stdout.write("done\n")
    sys.stdout.flush()
