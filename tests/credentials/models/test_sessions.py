"""The ledger's constraints and queries, and that its rows outlive what they name."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.db.models import F, ProtectedError

from builds.models import Build
from credentials.models import WRITING, Delivery, IssuedSession, new_ledger_id
from tests.credentials.ledger_rows import NOW, failed_row, issued_row, requested_row

Make = Callable[..., IssuedSession]

VIOLATIONS: dict[str, list[tuple[Make, dict[str, Any]]]] = {
    "session_status_known": [
        (issued_row, {"status": "granted"}),
    ],
    "session_issued_has_key_and_expiry": [
        (issued_row, {"access_key_id": ""}),
        (issued_row, {"expires_at": None}),
    ],
    "session_failure_has_code": [
        (failed_row, {"failure_code": ""}),
        (issued_row, {"failure_code": "sts_throttled"}),
        (requested_row, {"failure_code": "sts_throttled"}),
    ],
    "session_completed_once": [
        (issued_row, {"completed_at": None}),
        (requested_row, {"completed_at": NOW}),
    ],
    "session_has_scope": [
        (issued_row, {"policy": ""}),
        (issued_row, {"policy": "", "policy_sha256": "0" * 64}),
        (issued_row, {"policy": "", "policy_template": 1}),
        (issued_row, {"policy_sha256": "0" * 64}),
        (requested_row, {"policy": "", "policy_sha256": "0" * 64, "policy_template": 1}),
        (issued_row, {"root": ""}),
        (issued_row, {"bucket_name": ""}),
    ],
    "session_duration": [
        (issued_row, {"duration_seconds": 899}),
        (issued_row, {"duration_seconds": 43_201}),
    ],
    "session_identity_signs_posts": [
        (issued_row, {"signed_by_identity": True}),
        (issued_row, {"signed_by_identity": True, "delivery": "url"}),
    ],
    "session_named_by_id": [
        (issued_row, {"session_name": "guide"}),
        (issued_row, {"session_name": F("product_slug")}),
        (issued_row, {"session_name": "guide", "delivery": "list"}),
    ],
    "session_revoked_by_decision": [
        (issued_row, {"revoked_at": NOW}),
        (issued_row, {"revocation": 1}),
    ],
}


@pytest.mark.parametrize("name", VIOLATIONS)
def test_row_that_breaks_the_rule_is_refused(name: str, db: None) -> None:
    for make, fields in VIOLATIONS[name]:
        row = make()
        with pytest.raises(IntegrityError, match=name), transaction.atomic():
            IssuedSession.objects.filter(pk=row.pk).update(**fields)


def test_access_key_is_in_one_row(db: None) -> None:
    row = issued_row()
    with pytest.raises(IntegrityError, match=r"(?i)unique"):
        issued_row(access_key_id=row.access_key_id)


def test_identity_s_key_is_in_many_rows(db: None) -> None:
    for _ in range(2):
        issued_row(access_key_id="AKIASIGNER", delivery="post", signed_by_identity=True)
    assert IssuedSession.objects.filter(access_key_id="AKIASIGNER").count() == 2


def test_rows_without_an_access_key_are_many(db: None) -> None:
    failed_row()
    failed_row()
    requested_row()
    assert IssuedSession.objects.filter(access_key_id="").count() == 3


def test_every_constraint_is_violated_here() -> None:
    named = {constraint.name for constraint in IssuedSession._meta.constraints}
    assert named == {*VIOLATIONS, "session_access_key_once"}


def test_rows_at_the_ends_of_the_rules_are_legal(db: None) -> None:
    for seconds in (900, 43_200):
        assert issued_row(duration_seconds=seconds).pk
    assert issued_row(status="withheld").access_key_id


def test_ledger_ids_are_lower_case_ulids_and_differ() -> None:
    ids = [new_ledger_id() for _ in range(500)]
    assert len(set(ids)) == 500
    assert all(re.fullmatch(r"[0-7][0-9a-hjkmnp-tv-z]{25}", each) for each in ids)


def test_row_is_named_as_its_session(db: None) -> None:
    row = issued_row()
    assert str(row) == f"{row.pk}-guide"


def test_newest_row_comes_first(db: None) -> None:
    rows = [issued_row(id=f"{number}".rjust(26, "0")) for number in range(3)]
    assert list(IssuedSession.objects.all()) == rows[::-1]


@pytest.fixture
def four(db: None) -> dict[str, IssuedSession]:
    """A row of every status."""
    return {
        "requested": requested_row(),
        "issued": issued_row(),
        "failed": failed_row(),
        "withheld": issued_row(status="withheld"),
    }


def test_rows_are_found_by_status(four: dict[str, IssuedSession]) -> None:
    assert IssuedSession.objects.issued().get() == four["issued"]


State = IssuedSession.State
REVOKED: dict[str, Any] = {"revoked_at": NOW, "revocation_id": 1}
LONG_AGO, JUST_NOW = NOW - timedelta(seconds=121), NOW - timedelta(minutes=2)
# A row of each state, at the ends of the states -> the state that it is in
STATES: dict[str, tuple[Make, dict[str, Any], IssuedSession.State]] = {
    "a second left": (issued_row, {"expires_at": NOW + timedelta(seconds=1)}, State.ACTIVE),
    "over this moment": (issued_row, {"expires_at": NOW}, State.EXPIRED),
    "revoked": (issued_row, REVOKED, State.REVOKED),
    "revoked, and over": (issued_row, REVOKED | {"expires_at": NOW}, State.REVOKED),
    "failed": (failed_row, {}, State.FAILED),
    "withheld": (issued_row, {"status": "withheld"}, State.WITHHELD),
    "two minutes without an outcome": (requested_row, {"requested_at": JUST_NOW}, State.REQUESTED),
    "a second more": (requested_row, {"requested_at": LONG_AGO}, State.STUCK),
}


@pytest.mark.parametrize("case", STATES)
def test_row_is_in_one_state_and_found_by_it(case: str, db: None) -> None:
    make, fields, expected = STATES[case]
    row = make(**fields)
    assert row.state(NOW) is expected
    rows = IssuedSession.objects.all()
    assert [state for state in State if rows.in_state(state, NOW).exists()] == [expected]


def test_each_state_has_a_row_here() -> None:
    assert {state for _, _, state in STATES.values()} == set(State)


def test_states_that_pass_have_methods_of_their_names(db: None) -> None:
    made = {state: make(**fields) for make, fields, state in STATES.values()}
    for state in (State.ACTIVE, State.EXPIRED, State.STUCK, State.REQUESTED):
        assert getattr(IssuedSession.objects.all(), state)(NOW).get() == made[state]


def test_rows_since_a_moment_include_it(db: None) -> None:
    row = issued_row(requested_at=NOW)
    issued_row(requested_at=NOW - timedelta(seconds=1))
    assert list(IssuedSession.objects.since(NOW)) == [row]


HANDED_OUT = {
    Delivery.JSON,
    Delivery.CONTAINER,
    Delivery.PROCESS,
    Delivery.POST,
    Delivery.URL,
    Delivery.UPLOAD,
}


def test_sessions_that_can_write_are_those_handed_out(db: None) -> None:
    for delivery in Delivery:
        issued_row(delivery=delivery)
    writing = IssuedSession.objects.all().writing()
    assert {row.delivery for row in writing} == HANDED_OUT == set(WRITING)
    rows = IssuedSession.objects.all()
    assert {row.delivery for row in rows.for_builds()} == HANDED_OUT


def test_rows_are_found_by_build(register: Callable[..., Build]) -> None:
    mine, other = register(), register()
    row = issued_row(build=mine)
    issued_row(build=other)
    issued_row()
    assert list(IssuedSession.objects.all().for_build(mine)) == [row]


def test_row_outlives_store_and_client(build: Build, caller: Any) -> None:
    row = issued_row(build=build, client=caller.client, store=build.product.store)
    with pytest.raises(ProtectedError):
        build.product.store.delete()
    IssuedSession.objects.update(store=None, client=None, build=None)
    row.refresh_from_db()
    assert (row.store_name, row.client_name, row.root) == ("main", "ci", "guide/builds/v1")


def test_removing_what_a_row_names_leaves_the_row() -> None:
    for name in ("store", "client", "build"):
        field = IssuedSession._meta.get_field(name)
        assert field.null
        assert field.remote_field.on_delete.__name__ == "SET_NULL"


SECRET_NAMES = re.compile(r"secret|session_token|password|credential")


def test_ledger_has_no_column_for_a_secret() -> None:
    columns = [field.attname for field in IssuedSession._meta.concrete_fields]
    assert [name for name in columns if SECRET_NAMES.search(name)] == []


@pytest.mark.sqlite
def test_searches_of_the_ledger_have_an_index(db: None) -> None:
    searches: dict[str, Any] = {
        "access_key_id": "ASIA",
        "product_slug": "guide",
        "token_name": "ltdk_0123456789ab",
        "build_id": 1,
        "requested_at__gte": NOW,
        "status": "requested",
    }
    for name, value in searches.items():
        plan = IssuedSession.objects.filter(**{name: value}).explain()
        assert "USING INDEX" in plan, f"{name}: {plan}"
