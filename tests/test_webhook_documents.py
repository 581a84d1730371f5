"""What the page about webhooks shows is what is sent: the schema takes both, and nothing else."""

import json
import re
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

from builds.models import Build
from credentials.models import EventKind, Webhook, WebhookDelivery
from credentials.operations.outbox import record_test_event

DOCS = Path(__file__).parents[1] / "docs"
PAGE = (DOCS / "how-to" / "webhooks.rst").read_text()
SCHEMA = json.loads((DOCS / "reference" / "schemas" / "webhook.json").read_text())
BLOCKS = re.findall(r"\.\. code-block:: json\n\n((?:   .*\n)+)", PAGE)
VALIDATOR = Draft202012Validator(SCHEMA)


def test_examples_and_events_fit_the_schema(
    register: Callable[..., Build], now: datetime, settings: Any
) -> None:
    settings.LTD_PUBLIC_URL = "https://keeper.example.org"
    webhook = Webhook.objects.create(name="w", url="https://hooks.example.org/")
    register()
    record_test_event(webhook=webhook, now=now)
    bodies = list(WebhookDelivery.objects.order_by("pk").values_list("body", flat=True))
    for body in (*BLOCKS, *bodies):
        VALIDATOR.validate(json.loads(body))
    shown, sent = json.loads(BLOCKS[0])["data"], json.loads(bodies[0])["data"]
    assert list(shown) == list(sent)


def test_schema_refuses_what_lacks_a_member() -> None:
    for block in BLOCKS:
        example = json.loads(block)
        for name in list(example["data"]):
            shorter = {each: value for each, value in example["data"].items() if each != name}
            assert not VALIDATOR.is_valid(example | {"data": shorter}), name


def test_every_kind_is_described() -> None:
    assert [kind for kind in EventKind if f"``{kind}``" not in PAGE] == []
