"""Invariants 1 and 3: no credential without a committed row, scope made anew before every call."""

import json
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import DatabaseError, connection
from django.utils import timezone

from builds.errors import BuildClosed
from builds.models import Build, Product, Store
from builds.services import Survey, delete_build
from credentials.access.callers import Caller, Origin
from credentials.access.clients import command_line_user, revoke_api_key
from credentials.errors import (
    DurationOutOfRange,
    NotYourBuild,
    ProductNotGranted,
    ScopeChanged,
    SessionWithheld,
    StsUnreachable,
)
from credentials.models import ApiKey, BuildOwner, Client, Delivery, Grant, IssuedSession
from credentials.vending import issuing
from credentials.vending.finishing import finish_build
from credentials.vending.issuing import VendedSession, issue_session
from tests.fake_sts import FakeSts

pytestmark = pytest.mark.django_db(transaction=True)

Issue = Callable[..., VendedSession]


@pytest.fixture
def issue(caller: Caller, build: Build, sts: FakeSts) -> Issue:
    def call(**changes: object) -> VendedSession:
        arguments = {
            "caller": caller,
            "build_id": build.pk,
            "delivery": Delivery.JSON,
            "origin": Origin(address="192.0.2.7", agent="uploader/1.0"),
            "now": timezone.now(),
        }
        return issue_session(**(arguments | changes))  # type: ignore[arg-type]

    return call


def finish(build: Build) -> None:
    survey = Survey(object_count=1, byte_count=1, has_objects=True)
    finish_build(
        build_id=build.pk,
        survey=survey,
        empty_allowed=False,
        written_without_session=False,
        now=timezone.now(),
    )


def test_row_is_committed_before_sts_is_called(issue: Issue, sts: FakeSts) -> None:
    seen: list[object] = []

    def look() -> None:
        seen.append((connection.in_atomic_block, IssuedSession.objects.get().status))

    sts.during = look
    issue()
    assert seen == [(False, "requested")]


def test_issued_row_holds_everything_but_the_secret(
    issue: Issue, sts: FakeSts, build: Build, caller: Caller
) -> None:
    vended = issue()
    row = IssuedSession.objects.get()
    assert row.status == "issued"
    assert row.access_key_id == vended.assumed.access_key_id
    assert row.expires_at == vended.assumed.expires_at
    assert (row.store_name, row.product_slug, row.build_slug) == ("main", "guide", build.slug)
    assert (row.client_name, row.token_name) == ("ci", caller.token_name)
    assert (row.bucket_name, row.root) == ("docs-bucket", build.root)
    assert (row.caller_address, row.caller_agent) == ("192.0.2.7", "uploader/1.0")
    assert row.assumed_role_id == f"AROAEXAMPLE:{row.session_name}"
    assert row.packed_policy_percent == 12
    assert len(row.sts_request_id) == 32
    assert row.policy == sts.requests[0]["Policy"]


def test_session_is_named_by_its_row_and_product(issue: Issue, sts: FakeSts) -> None:
    issue()
    row = IssuedSession.objects.get()
    assert sts.requests[0]["RoleSessionName"] == row.session_name == f"{row.pk}-guide"


def test_longest_product_gives_a_session_name_of_64_characters(
    issue: Issue, sts: FakeSts, make_product: Callable[..., Product], register: Callable[..., Build]
) -> None:
    product = make_product("a" * 63)
    Grant.objects.create(client=Client.objects.get(), product=product)
    issue(build_id=register(product=product).pk)
    assert len(sts.requests[0]["RoleSessionName"]) == 64


def disable_client() -> None:
    Client.objects.update(is_active=False)


def revoke_key() -> None:
    revoke_api_key(key=ApiKey.objects.get(), actor=command_line_user(), now=timezone.now())


MEANWHILE = {
    "finish": lambda: finish(Build.objects.get()),
    "delete": lambda: delete_build(build_id=Build.objects.get().pk, now=timezone.now()),
    "run out of time": lambda: Build.objects.update(
        registered_at=timezone.now() - timedelta(hours=2), open_until=timezone.now()
    ),
    "disable the client": disable_client,
    "revoke the key": revoke_key,
    "let the key expire": lambda: ApiKey.objects.update(expires_at=timezone.now()),
    "take the grant away": lambda: Grant.objects.all().delete(),
    "take the build away": lambda: BuildOwner.objects.all().delete(),
    "close the row": lambda: IssuedSession.objects.update(
        status="failed", failure_code="x", completed_at=timezone.now()
    ),
}


@pytest.mark.parametrize("event", MEANWHILE)
def test_nothing_is_answered_when_the_right_ends_during_the_call(
    event: str, issue: Issue, sts: FakeSts
) -> None:
    sts.during = MEANWHILE[event]
    with pytest.raises(SessionWithheld):
        issue()
    assert len(sts.requests) == 1
    expected = "failed" if event == "close the row" else "withheld"
    assert IssuedSession.objects.get().status == expected


def test_withheld_row_says_which_session_it_was(issue: Issue, sts: FakeSts) -> None:
    sts.during = MEANWHILE["finish"]
    with pytest.raises(SessionWithheld):
        issue()
    row = IssuedSession.objects.get()
    assert row.access_key_id.startswith("ASIA")
    assert row.expires_at is not None


def test_answer_that_comes_too_late_is_withheld(
    issue: Issue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(issuing, "COMPLETED_WITHIN", timedelta(0))
    with pytest.raises(SessionWithheld):
        issue()
    assert IssuedSession.objects.get().status == "withheld"


def test_crash_after_the_call_leaves_a_row_for_the_audit(
    issue: Issue, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(*_: object, **__: object) -> bool:
        raise DatabaseError("connection lost")

    monkeypatch.setattr(issuing, "update", crash)
    with pytest.raises(DatabaseError):
        issue()
    assert IssuedSession.objects.get().status == "requested"


def test_nothing_is_asked_of_sts_when_the_row_cannot_be_written(
    issue: Issue, sts: FakeSts, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_row: object, **_: object) -> bool:
        raise DatabaseError("disk full")

    monkeypatch.setattr(issuing, "insert_and_commit", refuse)
    with pytest.raises(DatabaseError):
        issue()
    assert sts.requests == []


def test_failed_call_is_recorded_with_its_code(issue: Issue, sts: FakeSts) -> None:
    sts.fail_with("InternalFailure", 500)
    with pytest.raises(StsUnreachable):
        issue()
    row = IssuedSession.objects.get()
    assert (row.status, row.failure_code, row.access_key_id) == ("failed", "sts_unreachable", "")


def move_bucket() -> None:
    Store.objects.update(bucket="another-bucket")


def rename_product() -> None:
    Product.objects.update(slug="renamed")


def edit_root() -> None:
    Build.objects.update(root="guide/builds/other/" + Build.objects.get().slug)


@pytest.mark.parametrize("edit", [move_bucket, rename_product, edit_root])
def test_scope_that_differs_from_the_recorded_one_is_refused_before_sts(
    edit: Callable[[], None], issue: Issue, sts: FakeSts
) -> None:
    edit()
    with pytest.raises(ScopeChanged):
        issue()
    assert (sts.requests, IssuedSession.objects.count()) == ([], 0)


REFUSED = {
    "closed build": (lambda: finish(Build.objects.get()), BuildClosed),
    "no grant": (lambda: Grant.objects.all().delete(), ProductNotGranted),
    "another's build": (lambda: BuildOwner.objects.all().delete(), NotYourBuild),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_request_leaves_no_row(case: str, issue: Issue, sts: FakeSts) -> None:
    change, error = REFUSED[case]
    change()
    with pytest.raises(error):
        issue()
    assert (sts.requests, IssuedSession.objects.count()) == ([], 0)


def test_duration_out_of_range_is_refused_before_sts(issue: Issue, sts: FakeSts) -> None:
    for seconds in [0, -1, 899, 3601, 10**9]:
        with pytest.raises(DurationOutOfRange, match="900 to 3600"):
            issue(asked_seconds=seconds)
        assert (sts.requests, IssuedSession.objects.count()) == ([], 0), seconds


DURATIONS = {
    "default": (Delivery.JSON, None, None, 1800),
    "asked for": (Delivery.JSON, None, 900, 900),
    "the role's longest": (Delivery.JSON, None, 3600, 3600),
    "the product's": (Delivery.JSON, 1200, None, 1200),
    "refreshing never under 1800": (Delivery.CONTAINER, 900, None, 1800),
    "refreshing with a longer product": (Delivery.PROCESS, 3600, None, 3600),
    "listing": (Delivery.LIST, 3600, None, 900),
}


def test_duration_comes_from_request_product_and_setting(issue: Issue, sts: FakeSts) -> None:
    for case, (delivery, product_seconds, asked, expected) in DURATIONS.items():
        Product.objects.update(session_seconds=product_seconds)
        issue(delivery=delivery, asked_seconds=asked)
        assert sts.requests[-1]["DurationSeconds"] == expected, case


def test_listing_session_may_only_list(issue: Issue, sts: FakeSts) -> None:
    issue(delivery=Delivery.LIST)
    [statement] = json.loads(sts.requests[0]["Policy"])["Statement"]
    assert statement["Action"] == "s3:ListBucket"


def test_external_id_is_sent_when_the_store_has_one(issue: Issue, sts: FakeSts) -> None:
    Store.objects.update(external_id="tenant-7")
    issue()
    assert sts.requests[0]["ExternalId"] == "tenant-7"
