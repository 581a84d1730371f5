"""The query's own dialect, and Spark beside the reader: over the same logs, the same findings."""

import gzip
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
import sqlglot

from builds.models import Store
from credentials.operations.audit.cloudtrail import QueryAudit, TrailAudit
from credentials.operations.audit.trail_engines import (
    SQL,
    QueryFailed,
    Row,
    Spark,
    parameters_of,
)
from credentials.operations.audit.trail_files import Directory
from credentials.operations.findings import Finding
from credentials.operations.runs import recorded_run
from credentials.rules.cloudtrail import CHANGES
from tests.credentials.operations.audit.test_trail_files import log_name
from tests.credentials.operations.audit.trail_records import (
    BUCKET,
    FAULTS,
    POLICY_ARN,
    ROLE,
    TRAPS,
    WATCHED,
    changed,
    plant,
    used,
    user,
)

SINCE, UNTIL = (datetime(2026, 11, 23, hour, tzinfo=UTC) for hour in (11, 13))
MASTER = "local[2]"


@pytest.fixture
def logs(store: Store, tmp_path: Path) -> Path:
    """Everything that is planted, every change there is, and what others do, in two files."""
    Store.objects.update(role_arn=ROLE, bucket=BUCKET, endpoint_url="")
    ours = {"roleName": "upload", "policyArn": POLICY_ARN, "bucketName": BUCKET}
    changes = [
        changed(source.partition(".")[0], name, **{parameter: ours[parameter]})
        for (source, name), parameter in CHANGES.items()
    ]
    others = [used(userIdentity=user(), key=f"{number}") for number in range(50)]
    planted = list(plant([*FAULTS.values(), *TRAPS.values()]))
    for at, records in {
        "20261123T1205": planted,
        "20261123T1210": [msgspec.json.encode(each) for each in [*changes, *others]],
    }.items():
        content = b'{"Records":[%b]}' % b",".join(records)
        folder = tmp_path / "2026" / "11" / "23"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / log_name(at)).write_bytes(gzip.compress(content))
    return tmp_path


def sorted_findings(found: Iterator[Finding]) -> list[Finding]:
    return sorted(found, key=lambda each: (each.rule, each.subject))


def test_spark_finds_what_the_reader_finds(logs: Path) -> None:
    with recorded_run("audit_cloudtrail") as run:
        reader = TrailAudit(source=Directory(logs), run=run, addresses=True)
        files = reader.files()
        read = sorted_findings(reader.findings(files, files))
    with recorded_run("audit_cloudtrail") as run:
        engine = Spark(master=MASTER, source=str(logs))
        query = QueryAudit(engine=engine, run=run, since=SINCE, until=UNTIL, addresses=True)
        chosen = sorted_findings(query.findings())
    assert chosen == read
    assert len(chosen) > len(FAULTS)
    looked_at = run._looked_at["records"]
    assert len(FAULTS) < looked_at <= len(FAULTS) + len(TRAPS) + len(CHANGES)


def test_file_that_is_no_json_fails_the_query_and_shows_nothing(
    logs: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    broken = b'{"Records":[{"eventID":"SECRET","errorMessage":"SECRET"},{"eventID":'
    (logs / log_name("20261123T1215")).write_bytes(gzip.compress(broken))
    with pytest.raises(QueryFailed, match=r"^Spark could not read the logs: \w+\.$"):
        list(Spark(master=MASTER, source=str(logs)).rows(["2026/11/23"] * 2 + ["2", "3", "x"]))
    assert "SECRET" not in "".join(capfd.readouterr())


def test_query_is_in_athenas_dialect_and_has_the_columns_of_a_row() -> None:
    [query] = sqlglot.parse(SQL, read="athena")
    assert query is not None
    assert tuple(query.named_selects) == Row._fields
    asked = len(list(query.find_all(sqlglot.exp.Placeholder)))
    assert len(parameters_of(WATCHED, since=SINCE, until=UNTIL)) == asked
