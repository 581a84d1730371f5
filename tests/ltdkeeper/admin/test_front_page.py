"""The front page: what needs attention stands first, figures are links, nothing is written."""

import json
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from html import unescape
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client as Browser
from django.urls import reverse

from builds.models import Build, Store
from credentials.models import (
    ApiKey,
    Client,
    HourlyCount,
    IssuedSession,
    JobRun,
    Refusal,
    Revocation,
)
from credentials.operations.figures import hour_of, roll_up
from credentials.operations.findings import Finding
from credentials.operations.isolation.checking import request_check
from credentials.operations.runs import recorded_run
from tests.conftest import undone
from tests.credentials.ledger_rows import failed_row, issued_row, requested_row

pytestmark = pytest.mark.django_db

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


def front_page(browser: Browser) -> str:
    answer = browser.get(reverse("admin:index"))
    assert answer.status_code == 200
    return unescape(answer.content.decode())


def attention(browser: Browser) -> list[tuple[str, str]]:
    """Address and words of each thing that needs it."""
    section = front_page(browser).split('id="attention"')[1].split("</section>")[0]
    return re.findall(r'<a href="([^"]+)">([^<]+)</a>', section)


def test_one_sentence_says_that_nothing_needs_attention(browser: Browser) -> None:
    assert "<p>Nothing needs attention.</p>" in front_page(browser)


def disabled_client(now: datetime, client: Client, **_rows: Any) -> None:
    issued_row(client=client, requested_at=now - MINUTE, expires_at=now + HOUR)
    Client.objects.update(is_active=False)


def old_check(now: datetime, store: Store, **_rows: Any) -> None:
    request_check(store=store, now=now).finish(passed=True)
    store.isolation_runs.update(finished_at=now - 31 * DAY)


def decision(now: datetime, store: Store, **fields: Any) -> None:
    Revocation.objects.create(
        **{
            "kind": "client",
            "target_name": "ci",
            "store": store,
            "reason": "leaked",
            "requested_at": now - 6 * MINUTE,
            "ends_at": now + HOUR,
            "state": "requested",
            **fields,
        }
    )


def keep(finding: Finding) -> None:
    """Of a run of now: an older one would be overdue."""
    with recorded_run("audit_sessions") as run:
        list(run.keep([finding]))


# what -> how it comes about, a part of its sentence, a part of its address
NEEDS: dict[str, tuple[Callable[..., Any], str, str]] = {
    "stuck session": (
        lambda now, **_: requested_row(requested_at=now - 3 * MINUTE),
        "Stuck sessions, in the last 7 days: 1",
        "issuedsession/?state=stuck",
    ),
    "disabled client": (
        disabled_client,
        "Clients that are disabled and have live sessions: 1",
        "credentials/client/?is_active__exact=0",
    ),
    "failed revocation": (
        lambda now, store, **_: decision(now, store, state="failed", failed_at=now, problem="x"),
        "Revocations that failed: the store may still accept their sessions: 1",
        "credentials/revocation/?state__exact=failed",
    ),
    "clock that stands still": (
        lambda now, store, **_: decision(now, store),
        "Revocations not written for more than 5 minutes: 1",
        "credentials/revocation/?state__exact=requested",
    ),
    "open finding": (
        lambda **_: keep(Finding(rule="session_stuck", subject="one", what="wrong")),
        "Error session_stuck: 1 open",
        "credentials/auditfinding/?rule=session_stuck&severity=error",
    ),
    "builds": (
        lambda now, **_: Build.objects.update(registered_at=now - DAY, open_until=now - MINUTE),
        "Builds that need attention, of the last 7 days: 1",
        "builds/build/?state=attention",
    ),
    "key about to expire": (
        lambda now, **_: ApiKey.objects.update(expires_at=now + 13 * DAY),
        "API keys that expire within 14 days: 1",
        "credentials/apikey/?state=expiring",
    ),
    "failed check": (
        lambda now, store, **_: request_check(store=store, now=now).finish(passed=False),
        "Store main: isolation failed",
        "credentials/isolationrun/",
    ),
    "old check": (old_check, "Store main: the last isolation check is older", "isolationrun/"),
    "probing": (
        lambda now, **_: Refusal.objects.create(
            hour=hour_of(now), network="192.0.2.7", reason="not_granted", calls=21, last_at=now
        ),
        "21 refused calls from 192.0.2.7",
        "credentials/refusal/?address=192.0.2.7",
    ),
    "overdue job": (
        lambda now, **_: JobRun.objects.create(
            job="audit_sessions", started_at=now - DAY, finished_at=now - DAY, state="finished"
        ),
        "audit_sessions is overdue: no run has finished since",
        "credentials/jobrun/?job=audit_sessions",
    ),
    "no roll-up any more": (
        lambda now, **_: HourlyCount.objects.create(hour=hour_of(now - 5 * HOUR)),
        "Metrics were last rolled up to",
        "#figures",
    ),
}


def needs_attention(*options: str) -> tuple[int, str]:
    """The command's exit code, and what it wrote."""
    written = StringIO()
    try:
        call_command("needs_attention", *options, stdout=written)
    except SystemExit as ended:
        return int(str(ended.code)), written.getvalue()
    return 0, written.getvalue()


@pytest.fixture
def all_well(build: Build, client_row: Client, store: Store, now: datetime) -> dict[str, Any]:
    request_check(store=store, now=now).finish(passed=True)
    return {"now": now, "client": client_row, "store": store}


def test_nothing_needs_attention_where_all_is_well(
    browser: Browser, all_well: dict[str, Any]
) -> None:
    assert attention(browser) == []
    assert needs_attention() == (0, "Nothing to look at.\n")


@pytest.mark.parametrize("what", NEEDS)
def test_what_needs_attention_is_a_link_and_is_what_the_command_says(
    what: str, browser: Browser, all_well: dict[str, Any]
) -> None:
    happen, sentence, address = NEEDS[what]
    happen(**all_well)
    [(its_address, words)] = attention(browser)
    assert (words.startswith(sentence), address in its_address) == (True, True)
    code, written = needs_attention("--format", "json")
    [matter] = json.loads(written)["matters"]
    assert (code, matter["what"].startswith(sentence)) == (1, True)
    assert matter["address"].startswith("https://keeper.example.org/admin/")
    assert address in matter["address"]


def test_command_names_the_newest_rows(db: None, now: datetime) -> None:
    rows = [requested_row(requested_at=now - HOUR + n * MINUTE) for n in range(21)]
    code, written = needs_attention()
    assert (code, "7 days: 20+" in written, "1 item to look at." in written) == (1, True, True)
    assert [row.session_name in written for row in rows] == [False, *[True] * 20]


def test_command_says_what_is_wrong_with_a_build(
    build: Build, client_row: Client, now: datetime
) -> None:
    failure = {"survey_failure": "store_unreachable"}
    Build.objects.update(registered_at=now - DAY, open_until=now - MINUTE, **failure)
    _, written = needs_attention()
    [line] = [line for line in written.splitlines() if build.root in line]
    when = f"registered {now - DAY:%F %H:%M} UTC by {client_row}"
    assert line.strip() == f"{build.root}: expired unfinished (store_unreachable); {when}"


def test_store_that_was_never_checked_needs_attention(browser: Browser, store: Store) -> None:
    assert "was never checked" in attention(browser)[0][1]


def test_last_run_of_the_doctor_is_shown(browser: Browser, store: Store) -> None:
    assert 'data-label="Doctor found">not known' in front_page(browser)
    for found in ([Finding(rule="account_wrong", subject="trust", what="wrong")], []):
        with recorded_run("doctor", store=store) as run:
            list(run.keep(found))
        shown = f'change/">{"1 error" if found else "none"}</a>, {run.row.started_at:%F %H:%M} UTC'
        assert shown in front_page(browser)


# What does not need it any more, or not yet.
QUIET: dict[str, Callable[[datetime], Any]] = {
    "session that may still be answered": lambda now: requested_row(requested_at=now - MINUTE),
    "session stuck for a week": lambda now: requested_row(requested_at=now - 8 * DAY),
    "build that expired long ago": lambda now: Build.objects.update(
        registered_at=now - 9 * DAY, open_until=now - 8 * DAY
    ),
    "revocation just recorded": lambda now: decision(
        now, Store.objects.get(), requested_at=now - 4 * MINUTE
    ),
    "revocation that is over": lambda now: decision(
        now, Store.objects.get(), requested_at=now - HOUR, ends_at=now - MINUTE
    ),
    "build finished two hours ago": lambda now: Build.objects.update(finished_at=now - 2 * HOUR),
    "build that nobody counted for a week": lambda now: Build.objects.update(
        registered_at=now - 9 * DAY, finished_at=now - 8 * DAY, written_without_session=True
    ),
    "key that expired": lambda now: ApiKey.objects.update(expires_at=now - DAY),
    "key that expires later": lambda now: ApiKey.objects.update(expires_at=now + 15 * DAY),
}


def test_what_is_as_it_should_be_needs_no_attention(
    browser: Browser, all_well: dict[str, Any], now: datetime
) -> None:
    for what, happen in QUIET.items():
        with undone():
            happen(now)
            assert attention(browser) == [], what


def test_figures_are_links_to_their_rows(browser: Browser, build: Build, now: datetime) -> None:
    issued_row(requested_at=now, expires_at=now + HOUR)
    issued_row(requested_at=now, expires_at=now + HOUR, delivery="list")
    failed_row(requested_at=now)
    found = re.findall(
        r'href="([^"]+)"><span>([^<]+)</span> <strong>([^<]+)</strong>', front_page(browser)
    )
    numbers = {name: (number, address.rpartition("?")[2]) for address, name, number in found}
    assert numbers["Sessions active"] == ("1", "state=active")
    assert numbers["Issued today"][0] == "1"
    assert numbers["Failed today"][0] == "1"
    assert numbers["Open builds"] == ("1", "state=open")


def test_charts_show_every_session_as_a_bar_and_in_a_table(browser: Browser, now: datetime) -> None:
    issued_row(requested_at=now)
    shown = front_page(browser)
    assert len(re.findall(r"<rect [^>]*><title>[^<]*: 1</title></rect>", shown)) == 2
    assert shown.count("The same as a table") == 2
    assert "hourly roll-up has not run yet" in shown


def test_front_page_writes_nothing_and_needs_no_inline_style(
    browser: Browser, build: Build, now: datetime
) -> None:
    issued_row(requested_at=now - 3 * HOUR)
    roll_up(now - HOUR)
    before = list(HourlyCount.objects.values())
    shown = front_page(browser)
    assert list(HourlyCount.objects.values()) == before
    assert not re.search(r"\sstyle=|<style|<script(?![^>]*\bsrc=)", shown)


def test_front_page_costs_the_same_for_many_rows(
    browser: Browser,
    register: Callable[..., Build],
    client_row: Client,
    now: datetime,
    django_assert_max_num_queries: Callable[..., Any],
) -> None:
    for minutes in range(30):
        issued_row(client=client_row, requested_at=now - minutes * MINUTE)
        requested_row(requested_at=now - 5 * MINUTE)
        register()
    front_page(browser)
    with django_assert_max_num_queries(12):
        front_page(browser)
    assert IssuedSession.objects.count() == 60
