"""`manage.py count_builds`: what lies in the builds that were finished; meant for cron."""

from argparse import ArgumentParser
from typing import Any

from credentials.closed_builds.counting import count_builds, uncounted_builds
from credentials.leases import only_run
from credentials.management.outcomes import ServiceCommand, end, report_builds, with_progress


class Command(ServiceCommand):
    help = (
        "Count objects and bytes of finished builds that were not counted as a whole yet. Safe to "
        "repeat and to run twice at once. Exit code 3 when a build could not be counted."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--format", choices=["text", "json"], default="text")

    def handle(self, *_args: Any, **options: Any) -> None:
        is_json = options["format"] == "json"
        with only_run("count_builds"):
            outcomes = with_progress(count_builds(), uncounted_builds().count())
            totals = report_builds(self, outcomes, is_json=is_json)
        if not is_json:
            self.stdout.write(
                f"Counted {totals.builds} builds: {totals.objects} objects, {totals.bytes} bytes. "
                f"Failed: {totals.failed}."
            )
        end(totals.exit_code)
