"""What a decision to revoke ends, and what it leaves alone."""

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from unittest.mock import patch

import pytest
from django.contrib.admin.models import LogEntry

from builds.models import Build, Store
from builds.names import ULID_LENGTH
from credentials.access.callers import Caller
from credentials.access.clients import command_line_user, start_job_token
from credentials.access.revocations import recorded_document, store_capacity
from credentials.errors import ReasonMissing, StoreNeedsTime, UnknownTarget
from credentials.models import IssuedSession, JobToken, Revocation, Webhook, WebhookDelivery
from credentials.operations.revocation_targets import find_target, target_of
from credentials.operations.revoking import SHOWN, preview, revoke
from tests.credentials.ledger_rows import issued_row, requested_row

pytestmark = pytest.mark.django_db
Make = Callable[..., IssuedSession]


@pytest.fixture
def issued(build: Build, caller: Caller, store: Store, now: datetime) -> Make:
    """A live session of the build, asked for with the client's key."""

    def make(row: Make = issued_row, **changes: Any) -> IssuedSession:
        times = {"requested_at": now - timedelta(minutes=2)}
        if row is issued_row:
            times |= {"completed_at": now, "expires_at": now + timedelta(minutes=30)}
        names = {"client": caller.client, "token_name": caller.token_name}
        return row(**({"store": store, "build": build} | names | times | changes))

    return make


def decide(row: Any, now: datetime, **more: Any) -> list[Revocation]:
    before = more.pop("before", None)
    return revoke(
        target=target_of(row, before=before),
        reason="leaked",
        by=command_line_user(),
        now=now,
        **more,
    )


@pytest.mark.parametrize(
    ("endpoint_url", "least", "most"), [("", 306, 306), ("https://s3.example.org", 200, 260)]
)
def test_all_room_is_for_revocations_where_the_role_s_policy_is_managed(
    endpoint_url: str, least: int, most: int, store: Store
) -> None:
    store.endpoint_url = endpoint_url
    assert least <= store_capacity(store) <= most


def revoked_ids() -> set[str]:
    return set(IssuedSession.objects.exclude(revoked_at=None).values_list("pk", flat=True))


def test_only_the_target_s_sessions_are_revoked(issued: Make, now: datetime) -> None:
    victim, neighbour = issued(), issued()
    [made] = decide(victim, now)
    assert revoked_ids() == {victim.pk}
    assert (made.session_count, made.ends_at) == (1, victim.expires_at)
    assert (made.kind, made.target_name, made.state) == ("session", str(victim), "requested")
    assert IssuedSession.objects.active(now).get() == neighbour


@pytest.mark.parametrize("kind", ["session", "build", "api_key", "client", "product", "store"])
def test_every_kind_covers_the_session(kind: str, issued: Make, now: datetime) -> None:
    session = issued()
    rows: dict[str, Any] = {
        "session": session,
        "build": session.build,
        "api_key": session.client.api_keys.get(),
        "client": session.client,
        "product": session.build.product,
        "store": session.store,
    }
    decide(rows[kind], now, before=now)
    assert revoked_ids() == {session.pk}


def test_job_token_covers_the_sessions_it_asked_for(
    issued: Make, caller: Caller, now: datetime
) -> None:
    job, _ = start_job_token(client=caller.client, api_key=caller.api_key, products=[], now=now)
    session = issued(
        token_name=Caller(client=caller.client, api_key=caller.api_key, job_token=job).token_name
    )
    issued()
    decide(job, now)
    assert revoked_ids() == {session.pk}
    assert JobToken.objects.get().ended_at == now


def test_what_asked_for_it_may_ask_no_more(issued: Make, caller: Caller, now: datetime) -> None:
    decide(issued(), now)
    caller.api_key.refresh_from_db()
    assert caller.api_key.revoked_at == now


@pytest.mark.parametrize("kind", ["session", "product"])
def test_what_asks_for_one_that_is_being_issued_may_ask_no_more(
    kind: str, issued: Make, caller: Caller, now: datetime
) -> None:
    under_way = issued(requested_row)
    row: Any = under_way if kind == "session" else under_way.build.product
    assert preview(targets=[target_of(row)], now=now).tokens == [str(caller.api_key)]
    assert decide(row, now) == []
    caller.api_key.refresh_from_db()
    assert caller.api_key.revoked_at == now


def test_what_asked_for_it_may_go_on(issued: Make, caller: Caller, now: datetime) -> None:
    [made] = decide(issued(), now, may_go_on=True)
    caller.api_key.refresh_from_db()
    assert (caller.api_key.revoked_at, made.may_go_on) == (None, True)


def test_client_is_disabled(issued: Make, caller: Caller, now: datetime) -> None:
    decide(issued().client, now)
    caller.client.refresh_from_db()
    assert not caller.client.is_active


def test_log_of_what_ends_says_why(issued: Make, caller: Caller, now: datetime) -> None:
    job, _ = start_job_token(client=caller.client, api_key=caller.api_key, products=[], now=now)
    owner = Caller(client=caller.client, api_key=caller.api_key, job_token=job)
    for session in (issued(), issued(token_name=owner.token_name)):
        decide(session, now)
    decide(caller.client, now)
    for row, words in ((caller.api_key, "Revoked"), (job, "Revoked"), (caller.client, "Disabled")):
        log = LogEntry.objects.filter(object_repr=str(row)).values_list("change_message", flat=True)
        assert f"{words}. Reason: leaked" in log


def test_build_is_closed_to_uploads(issued: Make, now: datetime) -> None:
    build = issued().build
    decide(build, now)
    build.refresh_from_db()
    assert build.state(now + timedelta(seconds=1)) == Build.State.EXPIRED


def test_stuck_session_keeps_its_history(issued: Make, now: datetime) -> None:
    stuck = issued(requested_row, requested_at=now - timedelta(hours=6))
    decide(stuck.client, now)
    stuck.refresh_from_db()
    assert (stuck.state(now), stuck.completed_at) == (IssuedSession.State.STUCK, None)


def test_session_that_is_being_issued_is_withheld(issued: Make, now: datetime) -> None:
    under_way = issued(requested_row)
    decide(under_way.client, now)
    under_way.refresh_from_db()
    assert (under_way.status, under_way.revoked_at) == ("withheld", None)


def test_doing_it_again_changes_nothing(issued: Make, now: datetime) -> None:
    session = issued()
    [first] = decide(session, now)
    assert decide(session, now + timedelta(seconds=1)) == []
    session.refresh_from_db()
    assert (session.revocation, session.revoked_at) == (first, now)


def test_doing_it_again_writes_nothing_into_the_log(issued: Make, now: datetime) -> None:
    session = issued()
    entries = []
    for seconds in range(2):
        decide(session, now + timedelta(seconds=seconds))
        entries.append(LogEntry.objects.filter(object_id=session.pk).count())
    assert entries == [1, 1]


def test_store_is_cut_off_once_for_a_time(store: Store, now: datetime) -> None:
    hour = timedelta(hours=1)
    times = (now - hour, now - hour, now - 2 * hour, now)
    assert [len(decide(store, now, before=before)) for before in times] == [1, 0, 0, 1]


def test_sessions_asked_for_later_are_left(issued: Make, now: datetime) -> None:
    old, new = issued(requested_at=now - timedelta(hours=1)), issued()
    decide(new.client, now, before=now - timedelta(minutes=30), may_go_on=True)
    assert revoked_ids() == {old.pk}


@pytest.mark.parametrize("hours", [None, -1, 13], ids=["none", "to come", "too old"])
def test_store_is_revoked_up_to_a_recent_time(
    hours: int | None, store: Store, now: datetime
) -> None:
    before = None if hours is None else now - timedelta(hours=hours)
    with pytest.raises(StoreNeedsTime):
        decide(store, now, before=before)


def test_store_is_revoked_without_a_known_session(store: Store, now: datetime) -> None:
    [made] = decide(store, now, before=now)
    assert (made.session_count, made.before) == (0, now)


def test_reason_is_needed(issued: Make, now: datetime) -> None:
    with pytest.raises(ReasonMissing):
        revoke(target=target_of(issued()), reason=" ", by=command_line_user(), now=now)


@pytest.mark.parametrize(
    "name",
    [
        lambda row: row.pk,
        lambda row: row.session_name,
        lambda row: row.access_key_id,
        lambda row: f"AROA0:{row.session_name}",
        lambda row: f"arn:aws:sts::1:assumed-role/upload/{row.session_name}",
    ],
    ids=["ledger id", "name", "access key id", "assumed-role id", "assumed-role ARN"],
)
def test_session_is_found_by(name: Callable[[IssuedSession], str], issued: Make) -> None:
    session = issued()
    assert find_target(kind="session", text=f" {name(session)} ").row == session


@pytest.mark.parametrize(
    "name",
    [
        lambda build: str(build.pk),
        lambda build: build.root,
        lambda build: f"{build.root}/a/index.html",
        lambda build: f"s3://{build.bucket_name}/{build.root}/",
    ],
    ids=["number", "root", "object key", "address"],
)
def test_build_is_found_by(name: Callable[[Build], str], build: Build) -> None:
    assert find_target(kind="build", text=name(build)).row == build


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("session", "x" * ULID_LENGTH),
        ("build", "9" * 30),
        ("build", "s3://other/guide/builds/v1"),
        ("job_token", "ltdj_000000000000"),
        ("api_key", ""),
        ("client", "nobody"),
        ("product", "nothing"),
        ("store", "nowhere"),
    ],
)
def test_what_is_not_there_is_no_target(kind: str, text: str) -> None:
    with pytest.raises(UnknownTarget):
        find_target(kind=kind, text=text)


def test_preview_names_what_would_end(issued: Make, caller: Caller, now: datetime) -> None:
    first, second = issued(), issued(expires_at=now + timedelta(hours=1))
    seen = preview(targets=[target_of(caller.client)], now=now)
    assert (seen.session_count, seen.last_end) == (2, second.expires_at)
    assert set(seen.sessions) == {first, second}
    assert (seen.build_count, seen.builds) == (1, [first.build])
    assert seen.tokens == ["client ci"]
    [use] = seen.stores
    assert (use.entries, use.fits) == (2, True)
    assert (revoked_ids(), seen.problems) == (set(), [])


def test_preview_says_what_an_identity_signed(issued: Make, now: datetime) -> None:
    signed = issued(signed_by_identity=True, delivery="post", access_key_id="AKIASIGNER")
    seen = preview(targets=[target_of(signed.client)], now=now)
    assert (seen.session_count, seen.unrevocable) == (0, ["AKIASIGNER"])
    assert "change that key" in seen.problems[0]


def test_preview_says_that_the_policy_is_full(
    issued: Make, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = issued()
    monkeypatch.setattr("credentials.operations.revoking.other_characters", lambda _: 10_200)
    seen = preview(targets=[target_of(session)], now=now)
    assert not seen.stores[0].fits
    assert "before a time" in seen.problems[0]


@pytest.mark.parametrize(("endpoint_url", "entries"), [("", 2), ("https://s3.example.org", 1)])
def test_stores_with_one_role_have_its_room_together(
    endpoint_url: str, entries: int, issued: Make, store: Store, now: datetime
) -> None:
    other = Store.objects.create(
        name="other", bucket="other", role_arn=store.role_arn, endpoint_url=endpoint_url
    )
    decide(issued(store=other), now, may_go_on=True)
    assert preview(targets=[target_of(issued())], now=now).stores[0].entries == entries


def test_session_of_another_store_with_the_role_is_a_bystander(
    issued: Make, store: Store, now: datetime
) -> None:
    other = Store.objects.create(name="other", bucket="other", role_arn=store.role_arn)
    early = now - timedelta(minutes=20)
    issued(store=other, requested_at=early)
    mine = [issued(requested_at=early, completed_at=early) for _ in range(10)]
    rows = IssuedSession.objects.filter(pk__in=[each.pk for each in mine])
    assert recorded_document(store=store, now=now, and_also=rows).entries == 10


def test_everything_of_a_store_takes_one_entry(issued: Make, store: Store, now: datetime) -> None:
    """Also in the preview, whatever the number of sessions and products."""
    early = now - timedelta(minutes=20)
    for slug in ("alpha", "beta", "gamma"):
        issued(product_slug=slug, requested_at=early, completed_at=early)
    seen = preview(targets=[target_of(store, before=now)], now=now)
    assert (seen.session_count, seen.stores[0].entries) == (3, 1)


def test_preview_of_a_store_reads_the_sessions_that_it_shows_and_those_near_its_time(
    issued: Make, store: Store, now: datetime
) -> None:
    late = issued(completed_at=now)
    early = now - timedelta(minutes=20)
    for _ in range(SHOWN + 10):
        issued(requested_at=early, completed_at=early)
    with patch.object(IssuedSession, "from_db", wraps=IssuedSession.from_db) as read:
        seen = preview(targets=[target_of(store, before=now)], now=now)
    assert (read.call_count, seen.session_count) == (SHOWN + 1, SHOWN + 11)
    assert (seen.stores[0].entries, len(seen.sessions)) == (2, SHOWN)
    assert late.expires_at == seen.last_end


@pytest.mark.parametrize(("age", "entries"), [(timedelta(days=2), 1), (timedelta(hours=1), 10)])
def test_session_that_is_stuck_for_days_is_no_bystander(
    age: timedelta, entries: int, issued: Make, store: Store, now: datetime
) -> None:
    issued(requested_row, requested_at=now - age)
    early = now - timedelta(minutes=20)
    for _ in range(10):
        issued(requested_at=early, completed_at=early)
    live = IssuedSession.objects.active(now)
    document = recorded_document(store=store, now=now, and_also=live)
    assert document.entries == entries


def test_webhooks_are_told_of_a_decision_once_in_the_order_of_its_build(
    issued: Make, build: Build, now: datetime
) -> None:
    issued()
    hook = Webhook.objects.create(name="chat", url="https://chat.example.org/")
    hook.products.add(build.product)
    for _ in range(2):
        decide(build, now)
    told = WebhookDelivery.objects.get()
    assert (told.kind, told.subject) == ("session.revoked", build.root)
    data = json.loads(told.body)["data"]
    assert (data["kind"], data["session_count"], data["reason"]) == ("build", 1, "leaked")
