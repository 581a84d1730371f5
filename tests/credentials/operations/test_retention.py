"""Retention: no row is lost, none is in two exports, and a policy is kept or remade exactly."""

import gzip
import hashlib
import socket
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

import orjson
import pytest
from ulid import ULID

from credentials.errors import ExportUnusable
from credentials.models import HourlyCount, IssuedSession, LedgerExport, PolicyTemplate
from credentials.operations import retention
from credentials.operations.retention import (
    compact_policies,
    delete_exported,
    exports_to_make,
    prunable_until,
    write_export,
)
from credentials.rules.policy import Scope, listing_policy, session_policy
from tests.credentials.ledger_rows import failed_row, issued_row, requested_row

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 27, 4, 30, tzinfo=UTC)
OLD = NOW - timedelta(days=400)
UNTIL = NOW - timedelta(days=40)


def aged(make: Callable[..., IssuedSession], at: datetime, **changes: Any) -> IssuedSession:
    """A row of a moment: its id begins with it, and what was issued lived for half an hour."""
    times = {"requested_at": at}
    if make is not requested_row:
        times["completed_at"] = at
    if make is issued_row:
        times["expires_at"] = at + timedelta(minutes=30)
    return make(id=str(ULID.from_datetime(at)).lower(), **(times | changes))


def run(folder: Path, until: datetime = UNTIL) -> Iterator[LedgerExport]:
    """What the command does, one step after the other."""
    for export in exports_to_make(until=until, now=NOW):
        for act in (write_export, delete_exported):
            for _rows in act(export=export, folder=folder, now=NOW):
                yield export


def prune(folder: Path, until: datetime = UNTIL) -> list[LedgerExport]:
    return list(dict.fromkeys(run(folder, until)))


def lines(path: Path) -> list[dict[str, Any]]:
    return [orjson.loads(line) for line in gzip.decompress(path.read_bytes()).splitlines()]


def exported(folder: Path) -> list[str]:
    """The ids in all exports, as `sha256sum --check` and `zcat` see them."""
    found = []
    for path in sorted(folder.glob("*.jsonl.gz")):
        said = path.with_name(f"{path.name}.sha256").read_text()
        assert said == f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n"
        found += [line["id"] for line in lines(path)]
    return found


def scope(number: int = 1, **changes: Any) -> Scope:
    fields = {"partition": "aws", "bucket": "docs-bucket", "root": f"guide/builds/v{number}"}
    return Scope(**(fields | {"may_list_bare_root": False} | changes))


def test_old_sessions_are_in_the_file_and_no_longer_in_the_ledger(tmp_path: Path) -> None:
    gone = [
        aged(make, OLD + timedelta(hours=n)).pk for n, make in enumerate((issued_row, failed_row))
    ]
    kept = {aged(issued_row, UNTIL).pk, aged(issued_row, NOW).pk, aged(requested_row, OLD).pk}
    [export] = prune(tmp_path)
    assert exported(tmp_path) == gone
    assert set(IssuedSession.objects.values_list("pk", flat=True)) == kept
    assert (export.row_count, export.file_name) == (2, "sessions-20251023T04-20261018T04.jsonl.gz")
    assert export.place == f"{socket.gethostname()}:{tmp_path}"
    assert prune(tmp_path) == []


def test_session_that_outlives_the_moment_stays(tmp_path: Path) -> None:
    aged(issued_row, UNTIL - timedelta(hours=1), expires_at=UNTIL + timedelta(seconds=1))
    assert prune(tmp_path) == []


def test_line_has_every_column_and_the_policy_that_was_compacted(tmp_path: Path) -> None:
    row = aged(issued_row, OLD, policy=(policy := session_policy(scope())))
    list(compact_policies(before=UNTIL))
    prune(tmp_path)
    [path] = tmp_path.glob("*.jsonl.gz")
    [line] = lines(path)
    assert line.keys() == {field.attname for field in IssuedSession._meta.concrete_fields}
    assert (line["policy"], line["access_key_id"]) == (policy, row.access_key_id)
    assert datetime.fromisoformat(line["requested_at"]) == OLD


class Killed(BaseException):
    """As by a signal that nobody handles."""


KILLED_AT = {
    "before the file is written": "gzip.GzipFile",
    "before the file has its name": "Path.rename",
    "before the checksum is on disk": "_write_to_disk",
    "before the finished file is noted": "LedgerExport.save",
    "before hours are counted": "count_missing_hours",
}


@pytest.mark.parametrize("step", KILLED_AT.values(), ids=KILLED_AT)
def test_run_killed_while_it_exports_is_continued(
    step: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = [aged(issued_row, OLD + timedelta(hours=n)).pk for n in range(3)]
    [export] = exports_to_make(until=UNTIL, now=NOW)
    with monkeypatch.context() as patch:
        patch.setattr(f"credentials.operations.retention.{step}", _die)
        with pytest.raises(Killed):
            prune(tmp_path)
    aged(issued_row, later := OLD + timedelta(days=200))  # not in that export
    [resumed, new] = prune(tmp_path, until=UNTIL + timedelta(days=1))
    assert resumed == export
    assert sorted(exported(tmp_path)) == exported(tmp_path)
    assert [later] == [new.begins_at]
    assert (len(exported(tmp_path)), exported(tmp_path)[:3]) == (4, keys)
    assert not IssuedSession.objects.exists()


def _die(*_: Any, **__: Any) -> None:
    raise Killed


@pytest.mark.parametrize("steps", range(1, 8))
def test_run_killed_between_two_steps_loses_and_doubles_nothing(
    steps: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "BATCH", 2)
    keys = [aged(issued_row, OLD + timedelta(hours=n)).pk for n in range(7)]
    list(islice(run(tmp_path), steps))
    left = IssuedSession.objects.values_list("pk", flat=True)
    assert sorted({*exported(tmp_path), *left}) == keys
    prune(tmp_path)
    assert exported(tmp_path) == keys
    assert not IssuedSession.objects.exists()


def damage(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1] + b"?")


@pytest.mark.parametrize("spoil", [Path.unlink, damage], ids=["missing", "damaged"])
def test_rows_stay_without_the_file_that_was_finished(
    spoil: Callable[[Path], None], tmp_path: Path
) -> None:
    aged(issued_row, OLD)
    [export] = exports_to_make(until=UNTIL, now=NOW)
    list(write_export(export=export, folder=tmp_path, now=NOW))
    spoil(tmp_path / export.file_name)
    with pytest.raises(ExportUnusable, match=export.sha256):
        prune(tmp_path)
    assert IssuedSession.objects.exists()


def test_file_of_another_service_is_not_overwritten(tmp_path: Path) -> None:
    aged(issued_row, OLD)
    [export] = exports_to_make(until=UNTIL, now=NOW)
    (theirs := tmp_path / export.file_name).write_bytes(b"theirs")
    with pytest.raises(ExportUnusable, match="has other content"):
        prune(tmp_path)
    assert theirs.read_bytes() == b"theirs"
    assert IssuedSession.objects.exists()
    (own := tmp_path / "own").mkdir()
    assert prune(own) == [export]


def test_rows_that_are_not_in_the_file_stay(tmp_path: Path) -> None:
    aged(issued_row, OLD)
    [export] = exports_to_make(until=UNTIL, now=NOW)
    list(write_export(export=export, folder=tmp_path, now=NOW))
    late = aged(issued_row, OLD + timedelta(seconds=1))
    list(delete_exported(export=export, folder=tmp_path, now=NOW))
    assert IssuedSession.objects.get() == late


def test_only_hours_that_were_rolled_up_are_pruned() -> None:
    assert prunable_until(older_than=timedelta(days=30), now=NOW) is None
    HourlyCount.objects.create(hour=datetime(2026, 10, 1, 7, tzinfo=UTC))
    until = prunable_until(older_than=timedelta(days=30), now=NOW)
    assert until == datetime(2026, 10, 1, 8, tzinfo=UTC)
    assert prunable_until(older_than=timedelta(days=60), now=NOW) == datetime(
        2026, 9, 28, 4, tzinfo=UTC
    )


def test_totals_of_pruned_hours_stay_as_they_were_or_are_counted_first(tmp_path: Path) -> None:
    hour = OLD.replace(minute=0)
    HourlyCount.objects.create(hour=hour, issued=7)
    aged(issued_row, OLD)
    aged(failed_row, OLD + timedelta(hours=1))
    prune(tmp_path)
    totals = HourlyCount.objects.of_everybody().order_by("hour")
    assert list(totals.values_list("issued", "failed")) == [(7, 0), (0, 1)]


def compacted(**changes: Any) -> IssuedSession:
    """A row that is over, after the command."""
    row = aged(issued_row, OLD, **changes)
    list(compact_policies(before=UNTIL))
    return IssuedSession.objects.get(pk=row.pk)


SCOPES = {
    "upload": (session_policy, {}),
    "sync, with a key": (
        session_policy,
        {"may_sync": True, "kms_key_arn": "arn:aws:kms:us-east-1:123456789012:key/" + "1" * 8},
    ),
    "listing": (listing_policy, {"may_list_bare_root": True, "may_look": True}),
    "bucket named as a part of an ARN": (session_policy, {"bucket": "aws"}),
    "bucket named as a mark": (session_policy, {"bucket": "root"}),
    "bucket within the root": (session_policy, {"bucket": "guide"}),
}


@pytest.mark.parametrize(("make", "changes"), SCOPES.values(), ids=SCOPES)
def test_policy_is_remade_exactly(make: Any, changes: dict[str, Any]) -> None:
    its = scope(**changes)
    row = compacted(policy=make(its), bucket_name=its.bucket, root=its.root)
    assert (row.policy, row.policy_text) == ("", make(its))
    assert row.policy_sha256 == hashlib.sha256(make(its).encode()).hexdigest()


def test_sessions_share_a_template() -> None:
    for number in range(3):
        row = aged(issued_row, OLD, root=(its := scope(number)).root, policy=session_policy(its))
    assert list(compact_policies(before=UNTIL)) == [(3, 0)]
    assert list(compact_policies(before=UNTIL)) == []
    row.refresh_from_db()
    assert PolicyTemplate.objects.get() == row.policy_template


def test_policy_that_is_of_another_form_is_kept() -> None:
    assert compacted(policy="{}").policy_text == "{}"
    text = f"{session_policy(scope())}<r>"
    row = aged(issued_row, OLD, policy=text)
    assert list(compact_policies(before=UNTIL)) == [(0, 2)]
    row.refresh_from_db()
    assert (row.policy, row.policy_sha256) == (text, "")


@pytest.mark.parametrize("make", [issued_row, requested_row], ids=["live", "stuck"])
def test_policy_of_a_session_that_is_not_over_is_kept(make: Any) -> None:
    at = UNTIL if make is issued_row else OLD
    row = aged(make, at - timedelta(minutes=1), policy=session_policy(scope()))
    assert list(compact_policies(before=UNTIL)) == []
    row.refresh_from_db()
    assert row.policy


def test_policy_that_is_not_remade_exactly_is_not_shown() -> None:
    row = compacted(policy=session_policy(scope()))
    row.root = "guide/builds/v2"
    assert row.policy_text == ""
