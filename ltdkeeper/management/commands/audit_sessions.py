"""`manage.py audit_sessions`: check the ledger against the rules; meant for cron."""

from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.utils import timezone
from tqdm import tqdm

from credentials.operations.audit.ledger import (
    audit_ledger,
    close_expired_builds,
    longest_in_use,
    subjects,
)
from credentials.operations.runs import recorded_run
from ltdkeeper.management.findings import report_findings
from ltdkeeper.management.outcomes import ServiceCommand, end, whole_number

MOST_GRACE = 366 * 86_400


class Command(ServiceCommand):
    help = "Check the ledger against the rules. Exit code 1 if there is an unacknowledged finding."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--format", choices=["text", "json"], default="text")
        parser.add_argument(
            "--grace",
            type=whole_number(0, MOST_GRACE),
            metavar="SECONDS",
            help="do not report live sessions of builds that closed less than this ago; default: "
            "the longest lifetime of any live session, so that finished uploads are not reported",
        )
        parser.add_argument(
            "--close",
            action="store_true",
            help="first delete builds that expired unfinished over a day ago",
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        now, seconds = timezone.now(), options["grace"]
        grace = longest_in_use(now) if seconds is None else timedelta(seconds=seconds)
        with (
            recorded_run("audit_sessions") as run,
            tqdm(unit="check", leave=False, disable=None) as bar,
        ):

            def step(done: int, total: int) -> None:
                bar.total = total
                bar.update(done - bar.n)

            run.looked_at(**subjects(now))
            closed = {"closed": close_expired_builds(now)} if options["close"] else {}
            kept = run.keep(audit_ledger(now=now, grace=grace, on_step=step))
            code = report_findings(self, kept, **closed)
        if closed:
            self.say(f"Deleted {closed['closed']} builds that had expired unfinished.")
        end(code)
