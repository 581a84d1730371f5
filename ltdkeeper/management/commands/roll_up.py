"""`manage.py roll_up`: count closed hours for the charts of the front page; meant for cron."""

from argparse import ArgumentParser
from typing import Any

from django.utils import timezone

from credentials.operations.figures import roll_up, rolled_up_until
from credentials.operations.runs import recorded_run
from ltdkeeper.management.outcomes import ServiceCommand


class Command(ServiceCommand):
    help = (
        "Count the sessions of each hour that ended since the last run, for the charts on the "
        "admin's front page. Safe to repeat and to run twice at once."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--format", choices=["text", "json"], default="text")

    def handle(self, *_args: Any, **_options: Any) -> None:
        with recorded_run("roll_up") as run:
            hours = roll_up(timezone.now())
            run.looked_at(hours=hours)
        until = rolled_up_until()
        end = f"{until:%F %H}:00 UTC" if until else "now: there is nothing yet"
        document = {"hours": hours, "until": until and until.isoformat()}
        self.answer(document, f"Counted {hours} hours, up to {end}.")
