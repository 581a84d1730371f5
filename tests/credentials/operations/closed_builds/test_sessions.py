"""Sessions for closed builds: ledgered, never to write, and only for what is closed for good."""

import json

import pytest
from django.db import connection
from django.utils import timezone

from builds.models import Build, Store
from builds.services import delete_build
from credentials.access.callers import Origin
from credentials.errors import BuildInUse, ScopeChanged, SessionWithheld, StsThrottled
from credentials.models import WRITING, Delivery, IssuedSession
from credentials.operations.closed_builds import issue_internal_session
from credentials.vending.issuing import VendedSession
from tests.credentials.operations.closed_builds.conftest import MakeBuild
from tests.fake_sts import FakeSts

pytestmark = pytest.mark.django_db(transaction=True)


def issue(build: Build, delivery: Delivery) -> VendedSession:
    return issue_internal_session(
        build_id=build.pk, delivery=delivery, origin=Origin(agent="test"), now=timezone.now()
    )


ALLOWED = [
    ("finished", Delivery.LIST),
    ("deleted", Delivery.LIST),
    ("finished and deleted", Delivery.CLEAN),
]
REFUSED = [
    *((state, Delivery.LIST) for state in ("open", "expired", "superseded")),
    *((state, Delivery.CLEAN) for state in ("open", "expired", "superseded", "finished")),
]


@pytest.mark.parametrize(("state", "delivery"), ALLOWED)
def test_session_is_ledgered_and_may_do_one_thing(
    state: str, delivery: Delivery, make_build: MakeBuild, sts: FakeSts
) -> None:
    build = make_build(state=state)
    vended = issue(build, delivery)
    row = IssuedSession.objects.get()
    assert (row.status, row.delivery, row.build, row.root) == (
        "issued",
        delivery,
        build,
        build.root,
    )
    assert row.access_key_id == vended.assumed.access_key_id
    assert (row.client, row.client_name, row.token_name) == (None, "inside", "inside")
    [statement] = json.loads(sts.requests[0]["Policy"])["Statement"]
    expected = "s3:ListBucket" if delivery is Delivery.LIST else "s3:DeleteObject"
    assert (statement["Action"], row.policy) == (expected, sts.requests[0]["Policy"])


def test_build_that_is_not_closed_for_good_is_refused(make_build: MakeBuild, sts: FakeSts) -> None:
    for state, delivery in REFUSED:
        build = make_build(state=state)
        with pytest.raises(BuildInUse):
            issue(build, delivery)
        assert (sts.requests, IssuedSession.objects.count()) == ([], 0), state


def test_session_that_writes_is_never_issued(make_build: MakeBuild, sts: FakeSts) -> None:
    for delivery in [*WRITING, Delivery.PROBE]:
        with pytest.raises(ValueError, match="list or clean"):
            issue(make_build(state="deleted"), delivery)
        assert (sts.requests, IssuedSession.objects.count()) == ([], 0), delivery


def test_row_is_committed_before_sts_is_called(make_build: MakeBuild, sts: FakeSts) -> None:
    seen: list[object] = []
    sts.during = lambda: seen.append(
        (connection.in_atomic_block, IssuedSession.objects.get().status)
    )
    issue(make_build(), Delivery.LIST)
    assert seen == [(False, "requested")]


def test_build_that_was_reopened_by_hand_during_the_call_is_withheld(
    make_build: MakeBuild, sts: FakeSts
) -> None:
    build = make_build()
    sts.during = lambda: Build.objects.update(finished_at=None)
    with pytest.raises(SessionWithheld):
        issue(build, Delivery.LIST)
    assert IssuedSession.objects.get().status == "withheld"


def test_build_deleted_during_the_call_may_still_be_listed(
    make_build: MakeBuild, sts: FakeSts
) -> None:
    build = make_build()
    sts.during = lambda: delete_build(build_id=build.pk, now=timezone.now())
    assert issue(build, Delivery.LIST).row.status == "issued"


def test_refusal_of_sts_is_recorded(make_build: MakeBuild, sts: FakeSts) -> None:
    sts.fail_with("Throttling")
    with pytest.raises(StsThrottled):
        issue(make_build(), Delivery.LIST)
    assert IssuedSession.objects.get().failure_code == "sts_throttled"


@pytest.mark.parametrize("delivery", [Delivery.LIST, Delivery.CLEAN])
def test_scope_that_differs_from_the_recorded_one_is_refused(
    delivery: Delivery, make_build: MakeBuild, sts: FakeSts
) -> None:
    build = make_build(state="deleted")
    Store.objects.update(bucket="another-bucket")
    with pytest.raises(ScopeChanged):
        issue(build, delivery)
    assert sts.requests == []
