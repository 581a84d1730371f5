"""`manage.py deliver_webhooks`, to the documented receiver, which verifies what it is sent."""

import base64
import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from builds.models import Build
from credentials.access.registrations import delete_registered_build
from credentials.models import EventKind, JobRun, Webhook, WebhookDelivery, record_build_event
from credentials.operations import outbox
from credentials.operations.outbox import record_test_event
from credentials.operations.webhook_calls import Answer, Problem
from demo.service import free_port

pytestmark = pytest.mark.django_db
RECEIVER = Path(__file__).parents[3] / "docs" / "examples" / "webhook_receiver.py"


def run(*arguments: str) -> tuple[int, str]:
    out = StringIO()
    try:
        call_command("deliver_webhooks", *arguments, stdout=out)
    except SystemExit as ended:
        return int(str(ended.code)), out.getvalue()
    return 0, out.getvalue()


@pytest.fixture
def webhook(db: None, settings: Any) -> Webhook:
    settings.LTD_WEBHOOK_ALLOWED_NETWORKS = ["127.0.0.0/8"]
    return Webhook.objects.create(name="editions", url="http://127.0.0.1:9/hook")


@pytest.mark.parametrize("form", ["text", "json"])
def test_failure_is_3_and_counted(
    form: str, webhook: Webhook, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    down = Answer(status=503, problem=Problem.STATUS)
    answers = [Answer(status=200), down, Answer(status=200)]
    monkeypatch.setattr(outbox, "send", lambda _call, now: answers.pop())
    record_test_event(webhook=webhook, now=now)
    assert run("--format", form)[0] == 0
    record_test_event(webhook=webhook, now=now)
    code, said = run("--format", form)
    counts = {"delivered": 0, "failed": 1, "dead_letters": 0}
    assert code == 3
    assert json.loads(said) == counts if form == "json" else "Failed: 1" in said
    assert [each.looked_at for each in JobRun.objects.all()] == [{"waiting": 1}, {"delivered": 1}]


@pytest.fixture
def receiver(webhook: Webhook, now: datetime) -> Iterator[subprocess.Popen[str]]:
    port = free_port()
    [secret] = webhook.secrets(now)
    environment = {**os.environ, "PORT": str(port), "WEBHOOK_SECRET": secret.reveal()}
    Webhook.objects.update(url=f"http://127.0.0.1:{port}/")
    with subprocess.Popen(
        [sys.executable, str(RECEIVER)],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        while process.poll() is None:
            with suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                break
            time.sleep(0.05)
        yield process
        process.terminate()


@pytest.mark.slow
@pytest.mark.loopback
def test_documented_receiver_takes_each_event_once_and_no_forged_one(
    webhook: Webhook, receiver: subprocess.Popen[str], build: Build, now: datetime
) -> None:
    record_build_event(EventKind.BUILD_FINISHED, build, now=now)
    delete_registered_build(build_id=build.pk, now=now)
    code, said = run()
    assert (code, said[:19]) == (0, "Delivered 3 events.")
    WebhookDelivery.objects.update(state="waiting")
    assert run()[0] == 0
    forged = [("v1," + base64.b64encode(b"x" * 32).decode()), "", "v1,\xe9"]
    url = Webhook.objects.get().url
    assert [post(url, signature) for signature in forged] == [401] * 3
    receiver.terminate()
    assert receiver.stdout
    assert receiver.stdout.read() == f"{build.root} {build.surrogate_key}\n"


def post(url: str, signature: str) -> int:
    names = ("webhook-id", "webhook-timestamp", "webhook-signature")
    headers = dict(zip(names, ("forged", str(int(time.time())), signature), strict=True))
    request = urllib.request.Request(url, b'{"type": "build.finished"}', headers)
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request)
    with refused.value as answer:
        return answer.code
