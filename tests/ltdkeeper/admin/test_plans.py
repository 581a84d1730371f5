"""How PostgreSQL reads for each page of the admin: never a big table from end to end."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext

from builds.models import Build
from credentials.models import AuditFinding, IssuedSession, JobRun, JobToken, WebhookDelivery
from tests.ltdkeeper.admin.test_statements import calls, rows

__all__ = ["rows"]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.django_db,
    pytest.mark.skipif(connection.vendor != "postgresql", reason="about PostgreSQL's planner"),
]

BIG = {
    model._meta.db_table
    for model in (IssuedSession, Build, JobToken, AuditFinding, JobRun, WebhookDelivery)
}


def read_whole(statement: str) -> set[str]:
    """The big tables that a statement goes through, where the planner has any other way."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute(f"EXPLAIN (FORMAT JSON) {statement}")
        [(plan,)] = cursor.fetchall()
    nodes = _nodes(json.loads(plan)[0]["Plan"] if isinstance(plan, str) else plan[0]["Plan"])
    return {node["Relation Name"] for node in nodes if node["Node Type"] == "Seq Scan"} & BIG


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for part in plan.get("Plans", []):
        yield from _nodes(part)


def selected(queries: CaptureQueriesContext) -> set[str]:
    return {query["sql"] for query in queries if query["sql"].startswith("SELECT")}


def test_no_page_reads_a_big_table_through(browser: Browser, rows: dict[str, Any]) -> None:
    with CaptureQueriesContext(connection) as queries:
        for address, sent in calls(rows):
            answer = browser.post(address, sent) if sent else browser.get(address)
            assert answer.status_code < 500, address
    statements = selected(queries)
    assert len(statements) > 100
    assert {each: found for each in statements if (found := read_whole(each))} == {}


def test_reading_a_big_table_through_is_seen(db: None) -> None:
    table = IssuedSession._meta.db_table
    assert read_whole(f"SELECT * FROM {table} WHERE caller_agent = 'x'") == {table}  # noqa: S608
