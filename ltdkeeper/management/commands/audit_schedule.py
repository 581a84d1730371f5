"""`manage.py audit_schedule`: report scheduled commands that are overdue; meant for cron."""

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.utils import timezone

from credentials.operations.runs import recorded_run
from credentials.operations.schedule import audit_schedule, has_caught_up
from ltdkeeper.management.findings import report_findings
from ltdkeeper.management.outcomes import ServiceCommand, end


class Command(ServiceCommand):
    help = (
        "Report the commands of LTD_SCHEDULE that are overdue. Exit code 1 if there is "
        "an unacknowledged finding."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--format", choices=["text", "json"], default="text")

    def handle(self, *_args: Any, **_options: Any) -> None:
        now = timezone.now()
        is_whole = has_caught_up(now)
        with recorded_run("audit_schedule") as run:
            run.looked_at(jobs=len(settings.LTD_SCHEDULE))
            kept = run.keep(audit_schedule(now) if is_whole else (), is_whole=is_whole)
            code = report_findings(self, kept)
        end(code)
