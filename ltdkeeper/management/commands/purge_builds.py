"""`manage.py purge_builds`: remove the objects of builds that were deleted long enough ago."""

from argparse import ArgumentParser, ArgumentTypeError
from contextlib import nullcontext
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import Any

from django.utils import timezone

from credentials.operations.closed_builds import left_builds, purge_builds, purgeable_builds
from credentials.operations.runs import recorded_run
from ltdkeeper.management.outcomes import (
    ServiceCommand,
    end,
    report_builds,
    store_named,
    with_progress,
)


class Command(ServiceCommand):
    help = (
        "Count the objects of builds deleted before a given day, or remove them with --apply. The "
        "builds' rows stay. Safe to repeat. Exit code 3 if a build could not be purged."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--deleted-before",
            type=_moment,
            required=True,
            metavar="DAY",
            help="2026-10-31 (its start, UTC), or a number of days ago",
        )
        parser.add_argument("--store", metavar="NAME", help="default: every store")
        parser.add_argument(
            "--apply", action="store_true", help="remove the objects; without it, only count"
        )
        parser.add_argument("--format", choices=["text", "json"], default="text")

    def handle(self, *_args: Any, **options: Any) -> None:
        apply, name = options["apply"], options["store"]
        store = None if name is None else store_named(name)
        chosen = {"deleted_before": options["deleted_before"], "store": store}
        builds = purgeable_builds(**chosen)
        with recorded_run("purge_builds") if apply else nullcontext() as run:
            purged = with_progress(purge_builds(builds, apply=apply), builds.count())
            found = chain(left_builds(**chosen), purged)
            totals = report_builds(self, found)
            if run:
                run.looked_at(**asdict(totals))
        done = "Removed" if apply else "Nothing was changed; --apply removes"
        self.say(
            f"{done} {totals.objects} objects, {totals.bytes} bytes, of {totals.builds} "
            f"builds. Failed: {totals.failed}."
        )
        end(totals.exit_code)


def _moment(text: str) -> datetime:
    """Raises ArgumentTypeError."""
    try:
        if text.isascii() and text.isdecimal():
            return timezone.now() - timedelta(days=int(text))
        day = datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except (ValueError, OverflowError) as err:
        raise ArgumentTypeError(
            f"{text!r} is neither a day such as 2026-10-31 nor a number of days."
        ) from err
    if day > timezone.now():
        raise ArgumentTypeError(f"{text} is in the future: name a day that has begun.")
    return day
