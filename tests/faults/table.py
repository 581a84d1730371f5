"""What `make faults` prints: each fault, how often it was tried, and what was lost.

`LTD_TEST_FAULTS=full` tries each as often as the documentation says; otherwise a few times.
"""

import csv
import json
import os
import time
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import Any

from demo.processes import ROOT
from tests.faults.callers import Callers
from tests.faults.service import Service

IS_FULL = os.environ.get("LTD_TEST_FAULTS") == "full"
PATIENCE_SECONDS = 60
FILE = ROOT / ".build" / "faults.csv"
AGE = {
    "sqlite": "strftime('%Y-%m-%d %H:%M:%f', requested_at, '-3 hours')",
    "postgresql": "requested_at - interval '3 hours'",
}


def times(full: int, short: int) -> int:
    """How often a fault is tried."""
    return full if IS_FULL else short


@dataclass(kw_only=True)
class Row:
    """`held` credentials that callers were given, `issued` rows; `lost` are those without a row.

    `pending` rows are reported by the audit: their process or database ended before the outcome.
    `wrong` are answers that the fault does not explain.
    """

    fault: str
    database: str
    tried: int
    held: int = 0
    issued: int = 0
    pending: int = 0
    lost: int = 0
    wrong: int = 0
    note: str = ""


ROWS: list[Row] = []


def compare(fault: str, service: Service, callers: Callers, tried: int, note: str = "") -> Row:
    """Compare what callers hold with the ledger, and what the ledger does not know the outcome of
    with what the audit reports.
    """
    rows = rows_of(service, callers)
    issued = {key: root for _, key, root, status in rows if status == "issued"}
    pending = {each for each, _, _, status in rows if status == "requested"}
    row = Row(
        fault=fault,
        database=service.kind,
        tried=tried,
        held=len(callers.held),
        issued=len(issued),
        pending=len(pending),
        lost=sum(issued.get(key) != root for key, root in callers.held.items()),
        wrong=sum(callers.unusual.values()),
        note=note,
    )
    ROWS.append(row)  # whatever it says, it is in the table
    assert (row.lost, callers.unusual) == (0, {})
    assert not pending or pending <= reported_sessions(service)
    return row


def rows_of(service: Service, callers: Callers) -> list[tuple[Any, ...]]:
    numbers = ", ".join(build.rpartition("/")[2] for build in callers.builds)
    return service.read(
        "SELECT id, access_key_id, root, status FROM credentials_issuedsession"  # noqa: S608
        f" WHERE build_id IN ({numbers})"
    )


def wait_for_outcomes(service: Service, callers: Callers) -> None:
    """Where nothing of the service ended, each row gets its outcome: STS is not waited for long."""
    give_up = time.monotonic() + PATIENCE_SECONDS
    while pending := [row for row in rows_of(service, callers) if row[3] == "requested"]:
        assert time.monotonic() < give_up, pending
        time.sleep(0.1)


def reported_sessions(service: Service) -> set[str]:
    """The pending rows that the audit reports, once they are old enough."""
    service.write(
        f"UPDATE credentials_issuedsession SET requested_at = {AGE[service.kind]}"  # noqa: S608
        " WHERE status = 'requested'"
    )
    said = service.python("manage.py", "audit_sessions", "--format", "json", codes=(0, 1))
    findings = json.loads(said)["findings"]
    return {each["subject"] for each in findings if each["rule"] == "session_stuck"}


def lines() -> list[str]:
    """The table as text; its rows go to a file too."""
    if not ROWS:
        return []
    names = [each.name for each in fields(Row)]
    ordered = sorted(ROWS, key=lambda row: (row.fault, row.database))
    return written(FILE, [names, *([str(cell) for cell in astuple(row)] for row in ordered)])


def written(file: Path, cells: list[list[str]]) -> list[str]:
    """Write a table to a file; the same as text."""
    file.parent.mkdir(exist_ok=True)
    with file.open("w", newline="") as opened:
        csv.writer(opened, lineterminator="\n").writerows(cells)
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return ["  ".join(map(str.ljust, line, widths)).rstrip() for line in cells]
