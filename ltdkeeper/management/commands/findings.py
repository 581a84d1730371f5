"""`manage.py findings`: list open findings of audits, and acknowledge them until a day."""

from argparse import ArgumentParser, ArgumentTypeError
from datetime import UTC, datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.utils import timezone

from credentials.access.clients import command_line_user
from credentials.models import AuditFinding
from credentials.operations.kept_findings import acknowledge, withdraw_acknowledgement
from ltdkeeper.management.findings import SHOWN, in_a_line, members
from ltdkeeper.management.outcomes import ExitCode, ServiceCommand, end, wrong_argument


class Command(ServiceCommand):
    help = (
        "List the open findings of audits, newest first, or acknowledge one until a "
        "day with --acknowledge. Exit code 1 if the list is not empty."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--all", action="store_true", help="also acknowledged and closed findings"
        )
        which = parser.add_mutually_exclusive_group()
        which.add_argument(
            "--acknowledge", metavar="FINGERPRINT", help=f"its first {SHOWN} characters are enough"
        )
        which.add_argument("--withdraw", metavar="FINGERPRINT", help="revoke its acknowledgement")
        parser.add_argument(
            "--until", type=_day, metavar="DAY", help="such as 2026-12-31; at most a year"
        )
        parser.add_argument("--note", default="", help="why; kept in the admin's log. No secrets")
        parser.add_argument("--format", choices=["text", "json"], default="text")

    def handle(self, *_args: Any, **options: Any) -> None:
        now = timezone.now()
        if name := options["acknowledge"] or options["withdraw"]:
            rows = _named(name)
            _decide(rows, options, now)
        else:
            rows = AuditFinding.objects.all() if options["all"] else AuditFinding.objects.open(now)
        count = self._write(rows, now)
        end(ExitCode.FINDINGS if count and not name else ExitCode.NOTHING_FOUND)

    def _write(self, rows: Any, now: datetime) -> int:
        count = 0
        found = rows.select_related("store").iterator(500)
        with self.write_list("findings", lambda: {"count": count}) as add:
            for count, row in enumerate(found, start=1):  # noqa: B007 - is told at the end
                add(members(row, now), in_a_line(row, now))
        self.say(f"Findings: {count}")
        return count


def _day(text: str) -> datetime:
    """Raises ArgumentTypeError."""
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError as err:
        raise ArgumentTypeError(f"{text!r} is not a day such as 2026-12-31.") from err


def _named(name: str) -> Any:
    rows = AuditFinding.objects.filter(fingerprint__startswith=name)
    if len(name) < SHOWN or len(rows[:2]) != 1:
        raise wrong_argument("No finding has this fingerprint. `manage.py findings` lists them.")
    return rows


def _decide(rows: Any, options: dict[str, Any], now: datetime) -> None:
    what = {"findings": rows, "actor": command_line_user(), "note": options["note"]}
    try:
        if options["withdraw"]:
            withdraw_acknowledgement(**what)
        elif options["until"] is None:
            raise wrong_argument("Give the day until which it is accepted: --until DAY.")
        else:
            acknowledge(**what, until=options["until"], now=now)
    except ValidationError as err:
        raise wrong_argument(" ".join(err.messages)) from err
