"""`manage.py find`: what an identifier of a log, a bucket or a ticket belongs to."""

from argparse import ArgumentParser
from datetime import datetime
from typing import Any

import orjson
from django.utils import timezone

from credentials.operations.lookup import (
    LIMIT,
    exports_with,
    findings_about,
    lacks_build,
    look_up,
    sessions_of,
)
from credentials.operations.records import Record, describe
from credentials.rules.identifiers import Kind, recognise
from ltdkeeper.management.findings import in_a_line, members
from ltdkeeper.management.outcomes import ExitCode, ServiceCommand, end, wrong_argument

KINDS = ", ".join(Kind)
NO_BUILD = (
    "No build has this root: something else wrote there, or its row is in another database. What "
    "is listed above belongs to the product."
)
EXPORT = {"file": "file_name", "begins_at": "begins_at", "until": "until", "sha256": "sha256"}


class Command(ServiceCommand):
    help = (
        "Say which session, build, client, token and CI job an identifier belongs to. Exit code 1 "
        "when nothing is found."
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
        first = [(identifier, rows[0]) for identifier, rows in found_rows.items() if rows]
        rows = [row for rows in found_rows.values() for row in rows]
        rows = list(dict.fromkeys([*rows, *sessions_of(rows)]))
        records, findings = describe(rows, now), findings_about(identifiers, rows)
        pruned = [] if records else exports_with(identifiers)
        if options["format"] == "json":
            found = [record.members() for record in records]
            exports = [{name: getattr(each, at) for name, at in EXPORT.items()} for each in pruned]
            document = {"tried": tried, "limit": LIMIT, "exports": exports, "records": found}
            document["findings"] = [members(each, now) for each in findings]
            self.write_json(orjson.dumps(document).decode())
        else:
            self._print(records, tried)
            if any(lacks_build(identifier, row) for identifier, row in first):
                self.stdout.write(NO_BUILD)
            for finding in findings:
                self.stdout.write(f"finding {in_a_line(finding, now)}")
            for each in pruned:
                self.stdout.write(f"It may be in {each}, of {each.period}.")
        end(ExitCode.NOTHING_FOUND if records or findings else ExitCode.FINDINGS)  # as grep ends

    def _print(self, records: list[Record], tried: list[Kind]) -> None:
        for record in records:
            self.stdout.write(f"{record.what} {record.name}")
            for label, value in _lines(record):
                self.stdout.write(f"  {label:<14} {value}")
        if not records:
            self.stdout.write(f"Nothing found. Looked up as: {', '.join(tried)}.")
        elif sum(record.what == "session" for record in records) >= LIMIT:
            self.stdout.write(f"Of sessions, only the newest {LIMIT} are shown.")


def _lines(record: Record) -> list[tuple[str, object]]:
    """The members that say something which the first line has not said."""
    said = {"what", "name", record.what}
    return [
        (name.removesuffix("_at").replace("_", " "), _text(value))
        for name, value in record.members().items()
        if value and name not in said
    ]


def _text(value: object) -> object:
    return f"{value:%F %T} UTC" if isinstance(value, datetime) else value
