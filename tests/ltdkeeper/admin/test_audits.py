"""Pages of runs and findings: what was found, and that a finding is known until a day."""

import re
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.db.models import Model
from django.test import Client as Browser
from django.utils import timezone

from builds.models import Build
from credentials.models import AuditFinding, JobRun
from credentials.operations.findings import Finding, Severity
from credentials.operations.runs import recorded_run
from ltdkeeper.admin.links import page_address
from tests.credentials.ledger_rows import issued_row

pytestmark = pytest.mark.django_db

LIST = "/admin/credentials/auditfinding/"
DAYS = timedelta(days=30)
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def found(*findings: Finding) -> list[AuditFinding]:
    with recorded_run("audit_sessions") as run:
        run.looked_at(sessions=1200)
        list(run.keep(findings))
    return list(AuditFinding.objects.order_by("pk"))


def finding(subject: str = "one", **fields: Any) -> Finding:
    given = {"rule": "session_stuck", "what": "No outcome.", **fields}
    return Finding(subject=subject, **given)


def shown(browser: Browser, address: str) -> str:
    answer = browser.get(address)
    assert answer.status_code == 200
    return unescape(answer.content.decode())


def until(day: datetime | None) -> dict[str, str]:
    """The fields of the page, as they are sent when it was empty before."""
    name, text = "acknowledged_until", (f"{day:%Y-%m-%d}", f"{day:%H:%M:%S}") if day else ("", "")
    return {f"{name}_0": text[0], f"{name}_1": text[1], f"initial-{name}_0": ""}


# A run.


def test_page_of_a_run_says_what_it_looked_at_and_found(browser: Browser) -> None:
    found(finding(), finding("two", severity=Severity.WARNING))
    run = JobRun.objects.get()
    page = shown(browser, page_address(run))
    for words in ("1,200 sessions", "1 error, 1 warning", f"{LIST}?job=audit_sessions"):
        assert words in page


def test_page_of_a_run_says_what_the_bucket_held_and_of_which_time(browser: Browser) -> None:
    for held in ({"guide/": [3, 3072]}, {"guide/": [5, 2048]}):
        with recorded_run("audit_bucket") as run:
            run.covers(since=datetime(2026, 3, 2, tzinfo=UTC), until=NOON, proof="gapless")
            run.row.usage = held
    page = shown(browser, page_address(run.row))
    assert "guide/" in page
    assert "+2 objects, -1.0\xa0KB" in page
    assert re.search(r"2026-03-02 .* to .*12:00.* \(gapless\)", page)


RUNS: list[tuple[dict[str, Any], str]] = [
    ({"state": "running", "finished_at": None}, "running for 2\xa0hours"),
    ({"state": "failed", "problem": "No such store."}, "No such store."),
    ({"state": "interrupted"}, "interrupted 1\xa0hour"),
    ({"state": "finished", "problem": "Failed: 1."}, "finished 1\xa0hour ago, with a problem"),
]


def test_run_that_did_not_end_well_says_so(browser: Browser) -> None:
    now = timezone.now()
    times = {"started_at": now - timedelta(hours=2), "finished_at": now - timedelta(hours=1)}
    for fields, words in RUNS:
        run = JobRun.objects.create(job="roll_up", holder="here", **(times | fields))
        assert words in shown(browser, page_address(run)), words


RUN_QUERIES = {
    "": 2,
    "?job=audit_sessions": 1,
    "?job=roll_up&state=failed": 0,
    "?job=write_revocations": 0,
}


def test_runs_are_filtered(browser: Browser) -> None:
    found(finding())
    with recorded_run("roll_up"):
        pass
    for query, count in RUN_QUERIES.items():
        page = shown(browser, f"/admin/credentials/jobrun/{query}")
        assert page.count('class="field-started_at') == count, query


# The list of findings.

QUERIES = {
    "": {"open"},
    "?state=acknowledged": {"acknowledged"},
    "?state=closed": {"gone"},
    "?state=all": {"open", "acknowledged", "gone"},
    "?rule=key_unused": set(),
    "?severity=error&job=audit_sessions": {"open"},
    "?job=audit_bucket": set(),
}


def test_list_shows_what_is_open_unless_asked_for_more(browser: Browser) -> None:
    found(finding("gone"), finding("acknowledged"))
    data = {"action": "acknowledge", "until": f"{timezone.now() + DAYS:%Y-%m-%d}", "reason": "x"}
    [row] = AuditFinding.objects.filter(subject="acknowledged")
    browser.post(LIST, data | {"_selected_action": row.pk})
    found(finding("open"), finding("acknowledged"))
    for query, expected in QUERIES.items():
        page = shown(browser, f"{LIST}{query}")
        names = {name for name in ("open", "acknowledged", "gone") if f">{name}</a></th>" in page}
        assert names == expected, query


def act(browser: Browser, action: str, row: Model, **fields: str) -> str:
    data = {"action": action, "_selected_action": row.pk, "reason": "known", **fields}
    return unescape(browser.post(f"{LIST}?state=all", data, follow=True).content.decode())


def test_acknowledging_without_a_possible_end_changes_nothing(browser: Browser) -> None:
    [row] = found(finding())
    for day in ("", "soon", "2020-01-01", "2999-01-01"):
        page = act(browser, "acknowledge", row, until=day)
        assert "Nothing was changed. Until, beside the action:" in page, day
        assert row.state(timezone.now()) == "open", day


def test_acknowledgement_is_withdrawn_in_the_list(browser: Browser) -> None:
    [row] = found(finding())
    assert "Acknowledged: 1." in act(
        browser, "acknowledge", row, until=f"{timezone.now() + DAYS:%Y-%m-%d}"
    )
    assert "Withdrawn: 1." in act(browser, "withdraw", row)
    row.refresh_from_db()
    assert (row.acknowledged_until, row.acknowledged_note) == (None, "")


# The page of a finding.


def test_finding_is_acknowledged_on_its_page_and_that_is_in_the_log_once(browser: Browser) -> None:
    [row] = found(finding())
    day = (timezone.now() + DAYS).replace(microsecond=0)
    answer = browser.post(page_address(row), until(day) | {"reason": "the proxy's job"})
    assert answer.status_code == 302
    row.refresh_from_db()
    assert (row.acknowledged_until, row.acknowledged_by) == (day, "operator")
    [entry] = LogEntry.objects.all()
    assert entry.change_message.endswith("UTC. Reason: the proxy's job")
    assert "the proxy's job" in shown(browser, page_address(row))
    assert "acknowledged until" in shown(browser, page_address(row))


HALVES = [
    (30, "", "Say why."),
    (-1, "x", "Give a day in the future"),
    (400, "x", "at most a year ahead"),
]


def test_page_refuses_half_an_acknowledgement(browser: Browser) -> None:
    [row] = found(finding())
    for days, reason, words in HALVES:
        data = until(timezone.now() + timedelta(days=days)) | {"reason": reason}
        assert words in unescape(browser.post(page_address(row), data).content.decode()), words
        row.refresh_from_db()
        assert row.acknowledged_until is None, words


def test_finding_leads_to_its_session_and_build_and_they_to_it(
    browser: Browser, build: Build
) -> None:
    session = issued_row(build=build)
    [row] = found(finding(session_id=session.pk, build_id=build.pk))
    page = shown(browser, page_address(row))
    for each in (session, build):
        assert page_address(each) in page
        assert page_address(row) in shown(browser, page_address(each))


def test_finding_outlives_its_session_and_its_runs(browser: Browser) -> None:
    [row] = found(finding(session_id="01m8cd1cb8dct6550jbv0edm57"))
    JobRun.objects.all().delete()
    assert "01m8cd1cb8dct6550jbv0edm57" in shown(browser, page_address(row))
