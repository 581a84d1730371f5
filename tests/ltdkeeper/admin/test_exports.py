"""A filtered list as a file: what is in it, who gets it, and what is on record."""

import csv
import json
import re
from datetime import UTC, datetime
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext

from builds.models import Build
from credentials.models import ApiKey, IssuedSession, LedgerExport
from ltdkeeper.admin import exports
from ltdkeeper.admin.exports import cell, columns
from tests.credentials.ledger_rows import failed_row, issued_row

pytestmark = pytest.mark.django_db

SESSIONS = "/admin/credentials/issuedsession/export"


def body(answer: Any) -> str:
    assert answer.status_code == 200
    return b"".join(answer.streaming_content).decode()


def test_csv_has_the_filtered_rows_with_the_model_s_names(browser: Browser) -> None:
    issued_row()
    row = failed_row(root='a, "quoted"\nroot')
    answer = browser.post(f"{SESSIONS}/csv/?state=failed&delivery=all")
    assert answer["Content-Disposition"] == 'attachment; filename="issuedsession.csv"'
    [line] = csv.DictReader(body(answer).splitlines(keepends=True))
    assert list(line) == [field.attname for field in IssuedSession._meta.concrete_fields]
    told = (row.pk, row.root, "failed", "", row.requested_at.isoformat())
    read = ("id", "root", "status", "expires_at", "requested_at")
    assert tuple(line[name] for name in read) == told


def test_json_lines_have_an_object_for_each_row(browser: Browser, build: Build) -> None:
    [line] = body(browser.post("/admin/builds/build/export/jsonl/")).splitlines()
    read = json.loads(line)
    assert (read["root"], read["git_refs"], read["finished_at"]) == (build.root, ["main"], None)


CELLS: dict[str, tuple[Any, str]] = {
    **{f"begins with {first!r}": (f"{first}1+1", f"'{first}1+1") for first in "=+-@\t\r\n"},
    "plain": ("a=1", "a=1"),
    "number": (7, "7"),
    "nothing": (None, ""),
    "truth": (True, "true"),
    "list": (["=1"], '["=1"]'),
    "time": (datetime(2026, 11, 26, tzinfo=UTC), "2026-11-26T00:00:00+00:00"),
}


def test_cell_is_text_that_no_spreadsheet_calculates() -> None:
    for case, (value, text) in CELLS.items():
        assert cell(value) == text, case


def test_files_go_over_all_pages_in_few_statements(
    browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exports, "ROWS_AT_A_TIME", 7)
    rows = [issued_row().pk for _ in range(120)]
    with CaptureQueriesContext(connection) as queries:
        lines = body(browser.post(f"{SESSIONS}/jsonl/")).splitlines()
    assert [json.loads(line)["id"] for line in lines] == sorted(rows, reverse=True)
    whole = [query["sql"] for query in queries if "caller_agent" in query["sql"]]
    assert len(whole) <= 1  # a server's cursor is not among what is captured


# Of a policy, of a file of exported sessions.
CHECKSUMS = {(IssuedSession, "policy_sha256"), (LedgerExport, "sha256")}


def test_no_column_is_made_of_a_secret() -> None:
    for model, page in admin.site._registry.items():
        if getattr(page, "is_exported", False):
            secrets = [
                name
                for name in columns(model)
                if re.search("sha256|password|hash", name) and (model, name) not in CHECKSUMS
            ]
            assert secrets == []
    assert "secret_sha256" in {field.attname for field in ApiKey._meta.concrete_fields}


def test_who_took_which_rows_is_in_the_admin_s_log(browser: Browser) -> None:
    address = "/admin/credentials/apikey/export/csv/?state=active&q=ltdk_pasted_secret"
    assert body(browser.post(address)).startswith("id,client_id,label,public_id,")
    entry = LogEntry.objects.get(user__username="operator")
    expected = "Exported as csv: state=active, and a search."
    assert (entry.object_repr, entry.change_message) == ("API keys", expected)


REFUSED = {"xlsx/": 404, "csv/?state=nothing": 400, "csv/?policy__contains=x": 400}


def test_what_cannot_be_exported_is_refused(browser: Browser) -> None:
    for address, status in REFUSED.items():
        assert browser.post(f"{SESSIONS}/{address}").status_code == status, address
        assert not LogEntry.objects.exists(), address


def test_link_exports_nothing(browser: Browser) -> None:
    assert browser.get(f"{SESSIONS}/csv/").status_code == 405


def test_one_who_may_not_look_gets_nothing(db: None) -> None:
    browser, user = Browser(), User.objects.create_user("ada", is_staff=True)
    browser.force_login(user)
    assert browser.post(f"{SESSIONS}/csv/").status_code == 403
    user.user_permissions.add(Permission.objects.get(codename="view_issuedsession"))
    assert browser.post(f"{SESSIONS}/csv/").status_code == 200


def test_every_list_that_is_exported_is(browser: Browser) -> None:
    for page in admin.site._registry.values():
        address = f"/admin/{page.opts.app_label}/{page.opts.model_name}/export/csv/"
        is_exported = getattr(page, "is_exported", False)
        assert (browser.post(address).status_code == 200) is is_exported, address


@pytest.mark.django_db(transaction=True)
def test_export_is_neither_timed_nor_in_the_way_of_writers() -> None:
    """PostgreSQL gives it a transaction without a time-out, SQLite no transaction at all."""
    with exports.unlimited_reading(), connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SHOW statement_timeout")
            assert cursor.fetchone() == ("0",)
        else:
            assert not connection.in_atomic_block
