"""`manage.py count_builds`: count the objects of finished builds; meant for cron."""

from argparse import ArgumentParser
from dataclasses import asdict
from typing import Any

from builds.models import Build, Store
from credentials.operations.closed_builds import count_builds
from credentials.operations.runs import recorded_run
from ltdkeeper.management.outcomes import (
    ServiceCommand,
    add_profile_argument,
    end,
    profile_session,
    report_builds,
    with_progress,
)

TYPES_NOT_LOOKED_AT = (
    "Content types were not checked in stores without sync: that needs the "
    "auditor's profile (--profile, or LTD_AUDITOR_PROFILE)."
)


class Command(ServiceCommand):
    help = (
        "Count all objects and bytes of finished builds that have not been fully counted. With the "
        "auditor's credentials, also check whether pages have content types. Safe to repeat and to "
        "run twice at once. Exit code 3 if a build could not be counted."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_profile_argument(parser)
        parser.add_argument("--format", choices=["text", "json"], default="text")

    def handle(self, *_args: Any, **options: Any) -> None:
        auditor = profile_session(options["profile"])
        with recorded_run("count_builds") as run:
            outcomes = with_progress(count_builds(auditor), Build.objects.uncounted().count())
            totals = report_builds(self, outcomes)
            run.looked_at(**asdict(totals))
        self.say(
            f"Counted {totals.builds} builds: {totals.objects} objects, {totals.bytes} bytes. "
            f"Failed: {totals.failed}."
        )
        if not auditor and Store.objects.filter(with_sync=False).exists():
            self.say(TYPES_NOT_LOOKED_AT)
        end(totals.exit_code)
