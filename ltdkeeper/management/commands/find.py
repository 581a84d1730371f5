"""`manage.py find`: what an identifier from a log, a bucket or a ticket belongs to."""

from argparse import ArgumentParser
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from django.utils import timezone

from credentials.operations.lookup import (
    LIMIT,
    exports_with,
    findings_about,
    lacks_build,
    look_up,
    refusals_of,
    sessions_of,
)
from credentials.operations.records import Record, describe
from credentials.rules.identifiers import Kind, recognise
from ltdkeeper.management.findings import in_a_line, members
from ltdkeeper.management.outcomes import ExitCode, ServiceCommand, end, wrong_argument

KINDS = ", ".join(Kind)
NO_BUILD = "No build has this root: something else wrote there, or its row is in another database."
EXPORT = {"file": "file_name", "begins_at": "begins_at", "until": "until", "sha256": "sha256"}


class Command(ServiceCommand):
    help = (
        "Print the session, build, client, token and CI job that an identifier belongs to. Exit "
        "code 1 if nothing is found."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("id", metavar="ID", help=f"one of: {KINDS}")
        parser.add_argument("--format", choices=["text", "json"], default="text")

    def handle(self, *_args: Any, **options: Any) -> None:
        now = timezone.now()
        identifiers = recognise(options["id"])
        if not identifiers:
            raise wrong_argument(f"This has the form of none of these: {KINDS}.")
        tried = [identifier.kind for identifier in identifiers]
        found_rows = look_up(identifiers)
        lacking = [
            row for each, rows in found_rows.items() for row in rows if lacks_build(each, row)
        ]
        rows = [row for rows in found_rows.values() for row in rows]
        known = [row for row in rows if row not in lacking]
        rows = list(dict.fromkeys([*rows, *refusals_of(known), *sessions_of(known)]))
        records, findings = describe(rows, now), findings_about(identifiers, rows)
        pruned = [] if records else exports_with(identifiers)
        exports = [{name: getattr(each, at) for name, at in EXPORT.items()} for each in pruned]
        self.answer(
            {
                "tried": tried,
                "limit": LIMIT,
                "exports": exports,
                "records": [record.members() for record in records],
                "findings": [members(each, now) for each in findings],
            },
            *_lines(records, tried),
            *([NO_BUILD] if lacking else []),
            *(f"finding {in_a_line(finding, now)}" for finding in findings),
            *(f"It may be in {each}, of {each.period}." for each in pruned),
        )
        end(ExitCode.NOTHING_FOUND if records or findings else ExitCode.FINDINGS)  # as grep ends


def _lines(records: list[Record], tried: list[Kind]) -> Iterator[str]:
    for record in records:
        yield f"{record.what} {record.name}"
        yield from (f"  {label:<14} {value}" for label, value in _shown(record))
    if not records:
        yield f"Nothing found. Looked up as: {', '.join(tried)}."
    elif sum(record.what == "session" for record in records) >= LIMIT:
        yield f"Of sessions, only the newest {LIMIT} are shown."


# What the two times of a record are, where it is not made and expires.
TIMES = {
    "session": ("requested", "expires"),
    "build": ("registered", "closes"),
    "refused calls": ("first", "last"),
}


def _shown(record: Record) -> list[tuple[str, object]]:
    """The members that say something which the first line has not said."""
    said = {"what", "name", record.what}
    begins, ends = TIMES.get(record.what, ("made", "expires"))
    ends = "closed" if record.what == "build" and record.status != "open" else ends
    labels = {"begins_at": begins, "ends_at": ends}
    return [
        (labels.get(name, name.replace("_", " ")), _text(value))
        for name, value in record.members().items()
        if value and name not in said
    ]


def _text(value: object) -> object:
    if isinstance(value, tuple):  # a line each, below the first
        return f"\n{' ' * 17}".join(value)
    return f"{value:%F %T} UTC" if isinstance(value, datetime) else value
