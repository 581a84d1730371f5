"""`manage.py audit_sessions`: hold the ledger against the rules; meant for cron."""

from argparse import ArgumentParser
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from datetime import timedelta
from typing import Any

from django.utils import timezone

from credentials.operations.audit.ledger import audit_ledger, longest_in_use
from credentials.operations.findings import Finding
from credentials.operations.leases import only_run
from ltdkeeper.management.outcomes import ExitCode, ServiceCommand, end, whole_number

MOST_GRACE = 366 * 86_400


class Command(ServiceCommand):
    help = "Report what the ledger holds against the rules. Exit code 1 when there is a finding."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--format", choices=["text", "json"], default="text")
        parser.add_argument(
            "--grace",
            type=whole_number(0, MOST_GRACE),
            metavar="SECONDS",
            help="do not report live sessions of builds that closed less than this ago; default: "
            "the longest session in use, so that sessions of finished uploads are none",
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        now, seconds = timezone.now(), options["grace"]
        grace = longest_in_use(now) if seconds is None else timedelta(seconds=seconds)
        render = self._json if options["format"] == "json" else self._text
        with only_run("audit_sessions"):
            counts = render(audit_ledger(now=now, grace=grace))
        end(ExitCode.FINDINGS if counts else ExitCode.NOTHING_FOUND)

    def _text(self, findings: Iterator[Finding]) -> Counter[str]:
        counts: Counter[str] = Counter()
        for finding in findings:
            counts[str(finding.rule)] += 1
            self.stdout.write(f"{finding.rule:<29} {finding.subject}: {finding.message}")
        summary = ", ".join(f"{rule} {count}" for rule, count in counts.items())
        self.stdout.write(f"Findings: {counts.total()}{f' ({summary})' if summary else ''}")
        return counts

    def _json(self, findings: Iterator[Finding]) -> Counter[str]:
        counts: Counter[str] = Counter()
        with self.json_list("findings", lambda: {"counts": counts}) as add:
            for finding in findings:
                counts[str(finding.rule)] += 1
                add(asdict(finding) | {"message": finding.message})
        return counts
