"""What is asked of Athena, how its rows become findings, and that no query is left running."""

import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from io import StringIO
from typing import Any

import boto3
import msgspec
import pytest
from botocore.stub import ANY, Stubber
from django.core.management import CommandError, call_command
from moto import mock_aws
from moto.athena.models import QueryResults, athena_backends
from moto.core import DEFAULT_ACCOUNT_ID

from builds.models import Store
from credentials.models import JobRun
from credentials.operations.audit import trail_engines
from credentials.operations.audit.cloudtrail import WINDOW, evaluate
from credentials.operations.audit.trail_engines import Athena, QueryFailed, Row, Spark
from credentials.rules.cloudtrail import Record
from ltdkeeper.management.commands import audit_cloudtrail
from tests.credentials.operations.audit.trail_records import BUCKET, FAULTS, ROLE, TRAPS, plant

REGION = "us-east-1"
ASKED = ("--athena", "logs.cloudtrail", "--profile", "auditor")
BEGIN, END = ("--since", "2026-11-23T11:00Z"), ("--until", "2026-11-23T23:30Z")


@pytest.fixture
def backend(store: Store, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    Store.objects.update(role_arn=ROLE, bucket=BUCKET, endpoint_url="", region=REGION)
    key = {"aws_access_key_id": "AKIAEXAMPLE", "aws_secret_access_key": "secret"}
    session = boto3.session.Session(**key)
    monkeypatch.setattr(audit_cloudtrail, "profile_session", lambda name: session if name else None)
    with mock_aws():
        yield athena_backends[DEFAULT_ACCOUNT_ID][REGION]


def row_of(record: bytes) -> Row:
    """What the query makes of a record, by columns of the same meaning."""
    found = msgspec.json.decode(record)
    lower = {name.lower(): value for name, value in found.items()}
    identity = {name.lower(): value for name, value in (found["userIdentity"] or {}).items()}
    answer = (found["responseElements"] or {}).get("credentials", {})
    special = {
        "identitytype": identity.get("type"),
        "requestparameters": msgspec.json.encode(found["requestParameters"]).decode(),
        "issuedkeyid": answer.get("accessKeyId"),
    }
    return Row(**{each: (lower | identity | special).get(each) for each in Row._fields})


def answer_with(backend: Any, rows: list[Row]) -> None:
    lines = [Row._fields, *rows]
    data = [
        {"Data": [{} if each is None else {"VarCharValue": each} for each in line]}
        for line in lines
    ]
    backend.query_results_queue.append(QueryResults(rows=data, column_info=[]))


def audit(*arguments: str) -> tuple[int, str]:
    written = StringIO()
    try:
        call_command("audit_cloudtrail", *arguments, stdout=written)
    except SystemExit as end:
        return int(str(end.code)), written.getvalue()
    return 0, written.getvalue()


def test_rows_become_the_findings_that_their_records_are(backend: Any) -> None:
    planted = list(plant([*FAULTS.values(), *TRAPS.values()]))
    records = (msgspec.json.decode(each, type=Record) for each in planted)
    assert list(evaluate(row_of(each).record() for each in planted)) == list(evaluate(records))


def test_athena_is_asked_with_parameters_and_answers_with_findings(backend: Any) -> None:
    answer_with(backend, [row_of(each) for each in plant(FAULTS.values())])
    code, text = audit(*ASKED, *BEGIN, *END, "--addresses", "--results", "s3://results/audit")
    assert (code, text.splitlines()[-1].split(" (")[0]) == (1, f"Findings: {len(FAULTS)}")
    [execution] = backend.executions.values()
    assert 'FROM "logs"."cloudtrail"' in execution.query
    assert execution.config["OutputLocation"].startswith("s3://results/audit/")
    days = ["'2026/11/23'", "'2026/11/24'"]
    times = ["'2026-11-23T11:00:00Z'", "'2026-11-23T23:30:00Z'"]
    *others, names = execution.execution_parameters
    assert others == days + times
    assert {"upload", BUCKET} <= set(names.strip("'").split())
    assert JobRun.objects.get().looked_at == {"records": len(FAULTS)}


def test_run_reads_on_and_one_that_leaves_a_gap_moves_nothing(backend: Any) -> None:
    for times in ([*BEGIN, *END], ["--since", "2026-11-25T00:00Z"], []):
        audit(*ASKED, *times)
    begins = [each.execution_parameters[2] for each in backend.executions.values()]
    read_on = datetime(2026, 11, 23, 23, 30, tzinfo=UTC) - WINDOW
    assert begins == [
        "'2026-11-23T11:00:00Z'",
        "'2026-11-25T00:00:00Z'",
        f"'{read_on:%Y-%m-%dT%H:%M:%SZ}'",
    ]


def test_older_time_that_is_read_again_moves_nothing_back(backend: Any) -> None:
    for times in ([*BEGIN, *END], ["--since", "2026-11-20", "--until", "2026-11-21"], []):
        audit(*ASKED, *times)
    *_, last = backend.executions.values()
    read_on = datetime(2026, 11, 23, 23, 30, tzinfo=UTC) - WINDOW
    assert last.execution_parameters[2] == f"'{read_on:%Y-%m-%dT%H:%M:%SZ}'"


def test_end_before_the_last_run_leaves_nothing_to_ask(backend: Any) -> None:
    audit(*ASKED, *BEGIN, *END)
    with pytest.raises(CommandError, match="nothing was audited") as caught:
        audit(*ASKED, "--until", "2026-11-23T12:00Z")
    assert (caught.value.returncode, len(backend.executions)) == (3, 1)


def test_time_that_has_not_come_is_not_covered(backend: Any) -> None:
    for times in ([*BEGIN, "--until", "2999-01-01"], []):
        audit(*ASKED, *times)
    later, first = JobRun.objects.all()
    asked = [each.execution_parameters[2:4] for each in backend.executions.values()]
    assert asked[0][1] == f"'{first.started_at:%Y-%m-%dT%H:%M:%SZ}'"
    assert asked[1][0] == f"'{first.started_at - WINDOW:%Y-%m-%dT%H:%M:%SZ}'"
    assert later.coverage[0]["until"] == later.started_at.isoformat()


WRONG = {
    "first run without a time": (3, ASKED),
    "names too long": (3, (*ASKED, *BEGIN)),
    "no table": (2, ("--athena", 'logs."x"', "--profile", "auditor")),
    "source beside the table": (2, (".", *ASKED)),
    "no profile": (2, ("--athena", "logs.cloudtrail")),
    "results elsewhere": (2, (*ASKED, "--results", "folder")),
    "Spark without a source": (2, ("--spark", "local[2]")),
    "two engines": (2, (".", "--spark", "local[2]", *ASKED)),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_cannot_be_asked_is_not_asked(
    name: str, backend: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trail_engines, "LONGEST_PARAMETER", 30)
    code, arguments = WRONG[name]
    with pytest.raises(CommandError) as caught:
        audit(*arguments)
    assert caught.value.returncode == code
    assert not backend.executions


def status(state: str, reason: str = "") -> dict[str, Any]:
    found = {"State": state, "StateChangeReason": reason}
    return {"QueryExecution": {"Status": found, "Statistics": {"DataScannedInBytes": 5}}}


SECRET = "HIVE_CURSOR_ERROR: Row is not valid: {sessionToken: SECRET}"
ENDS: dict[str, tuple[dict[str, Any], float, type[BaseException], str]] = {
    "failed": (status("FAILED", SECRET), 60, QueryFailed, r"FAILED \(HIVE_CURSOR_ERROR\)\.$"),
    "cancelled by others": (status("CANCELLED"), 60, QueryFailed, r"as CANCELLED\.$"),
    "too slow": (status("RUNNING"), -1, QueryFailed, "longer than"),
    "told to end": (status("RUNNING"), 60, KeyboardInterrupt, "^$"),
}


@pytest.mark.parametrize("name", ENDS)
def test_query_that_is_not_waited_for_is_stopped(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer, seconds, error, told = ENDS[name]
    client = boto3.client(
        "athena", region_name=REGION, aws_access_key_id="a", aws_secret_access_key="b"
    )
    monkeypatch.setattr(trail_engines, "MOST_SECONDS", seconds)
    monkeypatch.setattr(trail_engines, "sleep", lambda _: (_ for _ in ()).throw(KeyboardInterrupt))
    scanned: list[int] = []
    engine = Athena(client=client, table="a.b", workgroup="w", results="", progress=scanned.append)
    asked = {"QueryString": ANY, "ExecutionParameters": ["'O''Hara'"], "WorkGroup": "w"}
    with Stubber(client) as stub:
        stub.add_response("start_query_execution", {"QueryExecutionId": "q"}, asked)
        stub.add_response("get_query_execution", answer, {"QueryExecutionId": "q"})
        stub.add_response("stop_query_execution", {}, {"QueryExecutionId": "q"})
        with pytest.raises(error, match=told) as caught:
            list(engine.rows(["O'Hara"]))
        stub.assert_no_pending_responses()
    assert "SECRET" not in str(caught.value)
    assert scanned == [5]


def test_spark_that_is_not_installed_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyspark.errors", None)
    with pytest.raises(QueryFailed, match=r"requirements-spark\.txt"):
        list(Spark(master="local[2]", source=".").rows([]))
