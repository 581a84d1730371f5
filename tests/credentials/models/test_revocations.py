"""Decisions to revoke: what the database refuses of them, and which are in force."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from builds.models import Store
from credentials.models import Revocation
from tests.credentials.ledger_rows import NOW

LATER = NOW + timedelta(hours=1)


def decision(store: Store, **changes: Any) -> Revocation:
    fields = {
        "kind": "client",
        "target_name": "ci",
        "store": store,
        "reason": "leaked",
        "requested_by": "ann",
        "requested_at": NOW,
        "ends_at": LATER,
    }
    return Revocation.objects.create(**(fields | changes))


VIOLATIONS: dict[str, list[dict[str, Any]]] = {
    "revocation_kind_known": [{"kind": "planet"}],
    "revocation_state_has_its_time": [
        {"state": "done"},
        {"state": "written"},
        {"state": "verified", "written_at": NOW},
        {"state": "failed", "problem": "full"},
        {"written_at": NOW},
        {"state": "written", "written_at": NOW, "verified_at": NOW},
    ],
    "revocation_failure_has_problem": [
        {"state": "failed", "failed_at": NOW},
        {"problem": "full"},
    ],
    "revocation_has_reason": [{"reason": ""}],
    "revocation_of_store_has_time": [{"kind": "store"}],
    "revocation_ends_later": [{"ends_at": NOW}],
}


@pytest.mark.parametrize("name", VIOLATIONS)
def test_row_that_breaks_the_rule_is_refused(name: str, store: Store) -> None:
    for fields in VIOLATIONS[name]:
        with pytest.raises(IntegrityError, match=name), transaction.atomic():
            decision(store, **fields)


def test_every_constraint_is_violated_here() -> None:
    assert {each.name for each in Revocation._meta.constraints} == {*VIOLATIONS}


@pytest.mark.parametrize("life", [60, 61], ids=["ends now", "ended a minute ago"])
def test_decision_is_in_force_until_its_last_session_has_surely_ended(
    life: int, store: Store
) -> None:
    made = decision(store)
    found = Revocation.objects.in_force(NOW + timedelta(minutes=life))
    assert list(found) == ([made] if life < 61 else [])
