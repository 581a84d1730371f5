"""The page and the list of revocations: what was decided, and how far the store is."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.test import Client as Browser
from django.urls import reverse

from builds.models import Store
from credentials.models import Revocation
from ltdkeeper.admin.revocations import describe_state

pytestmark = pytest.mark.django_db
MINUTES = timedelta(minutes=2)


def revocation(store: Store, now: datetime, **fields: Any) -> Revocation:
    return Revocation(
        **{
            "kind": "client",
            "target_name": "ci",
            "store": store,
            "reason": "leaked",
            "requested_by": "ada",
            "requested_at": now - MINUTES,
            "ends_at": now + timedelta(hours=1),
            **fields,
        }
    )


# fields -> what the page says
STATES: dict[str, tuple[dict[str, Any], str]] = {
    "requested": ({}, "requested 2 minutes ago: waits for manage.py write_revocations"),
    "written": ({"written_at": MINUTES}, "written 2 minutes ago: in the role's policy"),
    "verified": ({"verified_at": MINUTES}, "verified 2 minutes ago: the store refused a session"),
    "failed": (
        {"failed_at": MINUTES, "problem": "store_away: The store did not answer. Start it."},
        "failed 2 minutes ago: store_away: The store did not answer. Start it. The next run",
    ),
}


def test_state_is_told_with_its_age_and_what_to_do(store: Store, now: datetime) -> None:
    for state, (fields, words) in STATES.items():
        moments = {k: now - v if isinstance(v, timedelta) else v for k, v in fields.items()}
        told = describe_state(revocation(store, now, state=state, **moments), now)
        assert told.replace("\xa0", " ").startswith(words), state


def test_decision_whose_sessions_ended_before_it_was_written_is_over(
    store: Store, now: datetime
) -> None:
    told = describe_state(revocation(store, now, ends_at=now - MINUTES), now)
    assert told.startswith("over: its last session ended by itself")


def test_page_and_list_say_who_and_why_and_change_nothing(
    browser: Browser, store: Store, now: datetime
) -> None:
    row = revocation(store, now)
    row.save()
    page = reverse("admin:credentials_revocation_change", args=[row.pk])
    for address in (page, reverse("admin:credentials_revocation_changelist")):
        shown = browser.get(address).content.decode()
        assert [word for word in ("client ci", "leaked", "ada") if word not in shown] == []
    assert browser.post(page, {"reason": "other"}).status_code == 403
