"""CloudTrail's records beside a ledger: what is found, once each, in memory that does not grow."""

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from ulid import ULID

from builds.models import Store
from credentials.models import LedgerExport
from credentials.operations.audit import cloudtrail
from credentials.operations.audit.cloudtrail import evaluate
from credentials.operations.findings import Finding, Severity
from credentials.rules.cloudtrail import Breach, Record
from tests.credentials.ledger_rows import issued_row
from tests.credentials.operations.audit.trail_records import (
    BUCKET,
    FAULTS,
    LEDGER_ID,
    NOT_AUTHORIZED,
    ROLE,
    SESSION,
    STRANGER,
    TRAPS,
    VENDOR,
    WARNINGS,
    Json,
    assumed,
    background,
    denied,
    plant,
    session_user,
    used,
)

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _watched(store: Store) -> None:
    Store.objects.update(role_arn=ROLE, bucket=BUCKET, endpoint_url="")


@pytest.fixture
def known() -> None:
    issued_row(id=LEDGER_ID, access_key_id=SESSION.access_key_id, caller_ip_hex=SESSION.ip_hex)


def found(records: Iterable[bytes | Json], **options: Any) -> list[Finding]:
    raw = (each if isinstance(each, bytes) else msgspec.json.encode(each) for each in records)
    return list(evaluate((msgspec.json.decode(each, type=Record) for each in raw), **options))


def test_every_fault_is_found_and_nothing_else() -> None:
    planted = plant([*FAULTS.values(), *TRAPS.values()])
    findings = found(planted, addresses=True)
    assert Counter(each.rule for each in findings) == Counter(case.rule for case in FAULTS.values())
    assert sum(each.severity is Severity.WARNING for each in findings) == len(WARNINGS)
    assert len({(each.rule, each.subject) for each in findings}) == len(findings)


def test_clean_traffic_has_no_finding() -> None:
    names = [f"01kb2m5v3xq8w9e7r6t5{number:06}-guide" for number in range(20)]
    for name in names:
        ledger_id, root = name[:26], f"guide/builds/{name[:26]}"
        issued_row(id=ledger_id, access_key_id=f"ASIA{ledger_id.upper()}", root=root)
    assert found(background(names, 5)) == []


def test_other_addresses_are_reported_where_asked_for(known: None) -> None:
    case = FAULTS["another address"].make
    assert found([case()]) == []
    assert [each.rule for each in found([case()], addresses=True)] == [Breach.OTHER_ADDRESS]


def test_calls_alike_are_one_finding_with_a_few_examples(known: None) -> None:
    calls = [denied(used(at=f"12:0{n}:00", key=f"other/{n}")) for n in (3, 1, 5, 2)]
    [finding] = found(calls)
    assert (finding.subject, finding.session_id) == (LEDGER_ID, LEDGER_ID)
    assert finding.access_key_id == SESSION.access_key_id
    assert finding.is_event
    assert "4 calls, 2026-11-23 12:01:00 to 12:05:00 UTC: " in finding.what
    assert finding.what.count("s3:PutObject docs-bucket/other/") == 3


def test_copies_of_an_event_count_once(known: None) -> None:
    call = used(key="other", sharedEventID="one")
    [finding] = found([call, call, call | {"eventID": "two"}])
    assert "1 call, 2026-11-23 12:05:00 UTC: " in finding.what


def test_caller_who_is_refused_again_another_day_is_another_finding() -> None:
    refused = denied(assumed(requestParameters=None), message=f"{NOT_AUTHORIZED}{ROLE}")
    days = ["2026-11-23", "2026-11-24"]
    findings = found(refused | {"eventTime": f"{day}T12:00:00Z"} for day in (*days, *days))
    assert [each.subject for each in findings] == [f"{VENDOR} {day}" for day in days]


def test_texts_of_attackers_are_short_and_drive_nothing(known: None) -> None:
    [finding] = found([used(key="\x1b[2J\u202e" + "x" * 5000, sessionToken="secret")])
    assert "\\u001b[2J\\u202exxx" in finding.what
    assert len(finding.what) < 400
    assert finding.what.isprintable()


def test_token_in_a_record_is_in_no_finding() -> None:
    [finding] = found([assumed(STRANGER, "mallory", token="IQoJb3JpZ2luX2VjSECRET")])
    assert "SECRET" not in repr(finding)
    assert finding.subject == STRANGER


@pytest.mark.parametrize(("minute", "count"), [(5, 1), (6, 0)], ids=["from then on", "before"])
def test_session_of_a_time_that_was_pruned_is_no_finding(minute: int, count: int) -> None:
    until = datetime(2026, 11, 23, 12, minute, tzinfo=UTC)
    first = str(ULID()).lower()
    LedgerExport.objects.create(
        file_name="f", first_id=first, last_id=first, until=until, begun_at=until
    )
    assert len(found([used()])) == count


def test_ids_that_are_none_are_not_looked_up() -> None:
    [finding] = found([used(userIdentity=session_user("a\0b", "ASIA\0"))])
    assert finding.subject == "ASIA\\u0000"


def test_static_key_of_an_identity_is_no_session() -> None:
    issued_row(
        id=LEDGER_ID, access_key_id=SESSION.access_key_id, signed_by_identity=True, delivery="post"
    )
    assert [each.rule for each in found([used()])] == [Breach.UNKNOWN]


def test_findings_do_not_wait_for_the_end(known: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cloudtrail, "BATCH", 2)
    monkeypatch.setattr(cloudtrail, "MOST_HELD", 1)
    monkeypatch.setattr(cloudtrail, "MOST_KNOWN", 1)
    findings = found(used(key=f"other/{number}") for number in range(6))
    assert [each.subject for each in findings] == [LEDGER_ID] * 3


@pytest.mark.parametrize("count", [1, 400])
def test_queries_do_not_grow_with_calls(count: int, known: None) -> None:
    with CaptureQueriesContext(connection) as captured:
        found(used() for _ in range(count))
    assert len(captured) == 2  # the stores, and the sessions by access key id


def test_policies_that_the_set_up_makes_are_watched(store: Store) -> None:
    arns = cloudtrail.watched_stores().policy_arns
    assert {arn.partition(":policy/")[2] for arn in arns} == {
        "upload",
        "upload-boundary",
        "upload-auditor",
    }
