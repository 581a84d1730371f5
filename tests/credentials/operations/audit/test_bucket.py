"""The audit of a bucket finds each planted fault and nothing else, however often it runs."""

import random
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from builds.models import Build
from credentials.models import AuditFinding
from credentials.operations import runs
from credentials.operations.audit.bucket import TEXTS, BucketAudit, Usage, usage_since
from credentials.operations.findings import Finding
from credentials.operations.runs import recorded_run
from tests.credentials.ledger_rows import NOW
from tests.credentials.operations.audit.planted import DAY, PLANTED, World

KILLS = 50


def audit(world: World, **changes: Any) -> BucketAudit:
    arguments: dict[str, Any] = {"store": world.product.store, "auditor": None, "now": NOW}
    return BucketAudit(**(arguments | changes))


def found(findings: Iterator[Finding]) -> list[tuple[str, str]]:
    return [(finding.rule, finding.subject) for finding in findings]


def plant_all(world: World) -> list[tuple[str, str]]:
    return sorted((rule, plant(world)) for rule, plant in PLANTED.values())


def test_bucket_in_order_has_no_finding(world: World) -> None:
    assert found(audit(world).findings()) == []


def test_each_planted_fault_is_one_finding_and_nothing_else_is(world: World) -> None:
    assert {rule for rule, _ in PLANTED.values()} == set(TEXTS)
    planted = plant_all(world)
    assert sorted(found(audit(world).findings())) == planted


def test_findings_of_a_product_come_in_one_order_however_many_are_read_at_once(
    world: World,
) -> None:
    plant_all(world)
    alone = found(audit(world, product="guide", jobs=1).findings())
    among = [each for each in found(audit(world, jobs=3).findings()) if each in alone]
    assert among == alone
    assert {subject.partition("/")[0] for _, subject in alone} == {"guide"}


@pytest.mark.slow
def test_two_runs_and_fifty_that_are_killed_keep_each_finding_once(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    planted = plant_all(world)
    monkeypatch.setattr(runs, "AT_A_TIME", 4)
    points = random.Random(4)  # noqa: S311

    def run(lives: int | None) -> None:
        with recorded_run("audit_bucket", store=world.product.store) as running:
            for _ in running.keep(_until_killed(audit(world).findings(), lives)):
                pass

    for _ in range(KILLS):
        with suppress(KeyboardInterrupt):
            run(points.randrange(len(planted)))
    run(None)
    run(None)
    rows = AuditFinding.objects.filter(closed_at=None)
    assert sorted(rows.values_list("rule", "subject")) == planted


def _until_killed(findings: Iterator[Finding], lives: int | None) -> Iterator[Finding]:
    for number, finding in enumerate(findings):
        if number == lives:
            raise KeyboardInterrupt
        yield finding


def test_many_objects_of_one_place_are_one_finding_with_three_examples(world: World) -> None:
    for number in range(10):
        world.put(f"secret/\x1b[31m\u202e{number}{'x' * 200}")
    [finding] = audit(world).findings()
    assert finding.what.startswith("10 objects lie where no build is")
    assert finding.what.count('"') == 6
    assert "\\u001b[31m\\u202e0xxx" in finding.what
    assert len(finding.what) < 600


def test_finding_of_a_build_names_its_row(world: World) -> None:
    root = PLANTED["purged"][1](world)
    [finding] = audit(world).findings()
    assert finding.build_id == Build.objects.get(root=root).pk


def test_statements_grow_with_pages_and_not_with_objects(world: World) -> None:
    def statements() -> int:
        with CaptureQueriesContext(connection) as captured:
            list(audit(world).findings())
        return len(captured)

    before = statements()
    for number in range(30):
        world.put(f"guide/builds/a/{number:02}")
    assert statements() - before == 10  # pages of three keys


def test_usage_is_by_folder_with_its_growth(world: World) -> None:
    looked = audit(world)
    list(looked.findings())
    held = len(world.bucket.objects)
    assert looked.usage["guide/"] == Usage(objects=held, bytes=10 * held)
    [guide, gone] = usage_since({"guide/": [5, 50]}, {"guide/": [3, 60], "x/": [1, 9]})
    assert (guide["more_objects"], guide["more_bytes"]) == (2, -10)
    assert (gone["objects"], gone["more_objects"], gone["more_bytes"]) == (0, -1, -9)
    assert "more_bytes" not in usage_since({"guide/": [0, 0]}, None)[0]


def test_old_uploads_are_aborted_and_no_others(world: World) -> None:
    PLANTED["upload of two days"][1](world)
    world.bucket.uploads["ended"] = NOW - 2 * DAY
    world.bucket.ended.add("ended")
    assert audit(world).abort_uploads() == 1
    assert set(world.bucket.uploads) == {"guide/builds/a/large.bin", "ended"}
