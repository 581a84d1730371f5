"""The audit finds what each rule is for, nothing else, and asks as many queries for many rows."""

import inspect
import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.conf import settings
from django.db import connection
from django.test.utils import CaptureQueriesContext

from builds.models import Build
from credentials.models import ApiKey, Client, IssuedSession
from credentials.operations.audit import ledger
from credentials.operations.audit.ledger import audit_ledger, close_expired_builds
from credentials.operations.findings import Finding, Rule
from tests.credentials.ledger_rows import NOW, requested_row
from tests.credentials.operations.audit.situations import (
    DAY,
    FINDINGS,
    HOUR,
    QUIET,
    SECOND,
    key,
    session,
)
from tests.undone import undone


def audit(grace: timedelta = timedelta(0)) -> list[Finding]:
    return list(audit_ledger(now=NOW, grace=grace))


def test_what_is_in_order_is_no_finding(build: Build, client: Client) -> None:
    for case, arrange in QUIET.items():
        with undone():
            arrange(build, client)
            assert audit() == [], case


def test_finding_of_a_session_names_its_access_key(build: Build, client: Client) -> None:
    row = session(build, client)
    Build.objects.update(finished_at=NOW - HOUR)
    assert [finding.access_key_id for finding in audit()] == [row.access_key_id]


def test_every_rule_has_a_finding_here() -> None:
    named = re.findall(r"Rule\.(\w+)", inspect.getsource(ledger))
    assert {rule.name for rule, _ in FINDINGS.values()} == set(named)


TOLD: dict[str, Callable[[Build], list[str]]] = {
    "row without outcome": lambda build: [IssuedSession.objects.get().session_name, "own log"],
    "longer than the role's": lambda build: ["14:00:00", "guide", "3600 seconds"],
    "build finished": lambda build: [build.root, "11:59:59", "12:29:00"],
    "client disabled": lambda build: ["Client ci", build.root, "12:29:00"],
    "key without expiry": lambda build: ["key of ci", "revoke"],
    "key never used": lambda build: ["made 2026-08-25 11:59:59 UTC and never used", "Revoke it"],
    "key used long ago": lambda build: ["key of ci was last used 2026-08-25 11:59:59 UTC"],
    "as many open builds as may be": lambda build: ["Has 1 open builds", "LTD_OPEN_BUILDS is 1"],
    "as many sessions as may be": lambda build: ["for 2 sessions", "LTD_SESSIONS_AN_HOUR is 2"],
    "policy nearly full": lambda build: ["up to 81 %"],
    "many sessions": lambda build: ["Has 20 sessions, more than 4 times", "second uploader"],
    "many addresses": lambda build: ["Has 5 addresses", "leaked"],
    "grant removed": lambda build: ["Client ci is no longer granted guide", build.root],
    "out of time for a day": lambda build: ["1 builds", "2026-11-22 12:00:00", "--close"],
    "build written without session": lambda build: ["static AWS keys", "Delete the build"],
}


def subject_of(rule: Rule, build: Build) -> str:
    if rule in {Rule.KEY_WITHOUT_EXPIRY, Rule.KEY_UNUSED}:
        return str(ApiKey.objects.get(public_id="0" * 12))
    if rule is Rule.CLIENT_AT_LIMIT:
        name = IssuedSession.objects.latest("pk").token_name
        job = f"/{name}" if "ltdj" in name else ""
        return f"ci{job}, {'open builds' if settings.LTD_OPEN_BUILDS == 1 else 'sessions'}"
    if rule in {Rule.POLICY_NEARLY_FULL, Rule.BUILD_EXPIRED}:
        return build.product.slug
    of_build = {Rule.FOREIGN_WRITE, Rule.MANY_SESSIONS, Rule.MANY_ADDRESSES}
    return build.root if rule in of_build else IssuedSession.objects.get().pk


def test_broken_rule_is_the_one_finding_and_says_what_to_look_at(
    build: Build, client: Client
) -> None:
    for case, (rule, arrange) in FINDINGS.items():
        with undone():
            arrange(build, client)
            found = audit()
            expected = [(rule, subject_of(rule, build))]
            assert [(each.rule, each.subject) for each in found] == expected, case
            parts = TOLD[case](build) if case in TOLD else []
            assert [part for part in parts if part not in found[0].message] == [], case


def test_session_may_break_several_rules(build: Build, client: Client) -> None:
    Build.objects.update(finished_at=NOW - SECOND)
    Client.objects.update(is_active=False)
    session(build, client, expires_at=NOW + 9 * HOUR)
    rules = [finding.rule for finding in audit()]
    assert rules == [Rule.TOO_LONG, Rule.BUILD_CLOSED, Rule.CLIENT_DISABLED]


@pytest.mark.parametrize(("seconds", "found"), [(60, True), (61, False)])
def test_grace_forgives_what_closed_just_now(
    *, seconds: int, found: bool, build: Build, client: Client
) -> None:
    Build.objects.update(finished_at=NOW - timedelta(seconds=60))
    session(build, client)
    assert bool(audit(grace=timedelta(seconds=seconds))) is found


def break_every_rule(build: Build, client: Client, count: int) -> None:
    for number in range(count):
        requested_row(requested_at=NOW - HOUR)
        session(build, client, expires_at=NOW + 9 * HOUR)
        key(client, number)


@pytest.mark.parametrize("count", [1, 50])
def test_queries_do_not_grow_with_the_ledger(count: int, build: Build, client: Client) -> None:
    break_every_rule(build, client, count)
    with CaptureQueriesContext(connection) as captured:
        findings = audit()
    assert len(findings) == 3 * count
    assert len(captured) == 10  # one of them for each product


def test_audit_writes_nothing(build: Build, client: Client) -> None:
    break_every_rule(build, client, 1)
    with CaptureQueriesContext(connection) as captured:
        audit()
    assert {query["sql"].split()[0] for query in captured} <= {"SELECT", "DECLARE"}


def test_audit_tells_how_far_it_is(build: Build) -> None:
    steps: list[tuple[int, int]] = []
    list(audit_ledger(now=NOW, on_step=lambda done, total: steps.append((done, total))))
    assert steps == [(done, len(steps)) for done in range(1, len(steps) + 1)] != []


def test_audit_reads_only_when_asked_on(build: Build, client: Client) -> None:
    break_every_rule(build, client, 1)
    findings = audit_ledger(now=NOW)
    with CaptureQueriesContext(connection) as captured:
        next(findings)
    assert len(captured) == 1


@pytest.mark.parametrize(("over", "closed"), [(DAY, 1), (DAY - SECOND, 0)])
def test_builds_out_of_time_for_a_day_are_deleted_on_request(
    over: timedelta, closed: int, build: Build
) -> None:
    Build.objects.update(registered_at=NOW - 2 * DAY, open_until=NOW - over)
    assert close_expired_builds(NOW) == closed
    assert Build.objects.filter(deleted_at=None).count() == 1 - closed
    assert audit() == []
