"""`manage.py compact_policies`: keep less of the policies of expired sessions."""

from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.utils import timezone
from tqdm import tqdm

from credentials.operations.retention import compact_policies
from credentials.operations.runs import recorded_run
from ltdkeeper.management.outcomes import ServiceCommand, days


class Command(ServiceCommand):
    help = (
        "Replace the policies of expired sessions with their SHA-256 and a shared template, if "
        "these restore exactly the same text. Safe to repeat and to run during traffic."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--older-than",
            type=days(1),
            default=timedelta(days=1),
            metavar="DAYS",
            help="only sessions that ended longer ago than this; default: 1d",
        )
        parser.add_argument("--format", choices=["text", "json"], default="text")

    def handle(self, *_args: Any, **options: Any) -> None:
        before = timezone.now() - options["older_than"]
        replaced = kept = 0
        with recorded_run("compact_policies") as run, tqdm(unit="row", disable=None) as bar:
            for done, left in compact_policies(before=before):
                replaced, kept = replaced + done, kept + left
                run.looked_at(replaced=done, kept=left)
                bar.update(done + left)
        told = f"Policies replaced: {replaced}. Kept as they are: {kept}."
        self.answer({"replaced": replaced, "kept": kept}, told)
