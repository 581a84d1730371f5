"""`manage.py roll_up`: says how many hours it counted, and up to when."""

import json
from datetime import datetime, timedelta
from io import StringIO

import pytest
from django.core.management import call_command

from credentials.operations.figures import hour_of
from tests.credentials.ledger_rows import issued_row

pytestmark = pytest.mark.django_db


def roll_up(*arguments: str) -> str:
    out = StringIO()
    call_command("roll_up", *arguments, stdout=out)
    return out.getvalue()


def test_summary_says_how_far_it_came(now: datetime) -> None:
    issued_row(requested_at=now - timedelta(hours=5))
    assert "hours, up to 20" in roll_up()
    document = json.loads(roll_up("--format", "json"))
    until = datetime.fromisoformat(document["until"])
    assert (document["hours"], until <= now, until == hour_of(until)) == (0, True, True)
