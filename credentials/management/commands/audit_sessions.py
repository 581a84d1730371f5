"""`manage.py audit_sessions`: hold the ledger against the rules; meant for cron."""

from argparse import ArgumentParser
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from datetime import timedelta
from typing import Any

import orjson
from django.utils import timezone

from credentials.audit.ledger import audit_ledger
from credentials.audit.rules import Finding
from credentials.management.outcomes import ExitCode, ServiceCommand, end, whole_number

MOST_GRACE = 366 * 86_400


class Command(ServiceCommand):
    help = "Report what the ledger holds against the rules. Exit code 1 when there is a finding."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--format", choices=["text", "json"], default="text")
        parser.add_argument(
            "--grace",
            type=whole_number(0, MOST_GRACE),
            default=0,
            metavar="SECONDS",
            help="do not report live sessions of builds that closed less than this ago",
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        grace = timedelta(seconds=options["grace"])
        findings = audit_ledger(now=timezone.now(), grace=grace)
        render = self._json if options["format"] == "json" else self._text
        end(ExitCode.FINDINGS if render(findings) else ExitCode.NOTHING_FOUND)

    def _text(self, findings: Iterator[Finding]) -> Counter[str]:
        counts: Counter[str] = Counter()
        for finding in findings:
            counts[finding.rule.value] += 1
            self.stdout.write(f"{finding.rule.value:<29} {finding.subject}: {finding.message}")
        summary = ", ".join(f"{rule} {count}" for rule, count in counts.items())
        self.stdout.write(f"Findings: {counts.total()}{f' ({summary})' if summary else ''}")
        return counts

    def _json(self, findings: Iterator[Finding]) -> Counter[str]:
        """One document, written as it is found, so that memory does not grow with it."""
        counts: Counter[str] = Counter()
        self.stdout.write('{"findings": [', ending="")
        for finding in findings:
            separator = "," if counts else ""
            counts[finding.rule.value] += 1
            self.stdout.write(f"{separator}\n  {orjson.dumps(asdict(finding)).decode()}", ending="")
        self.stdout.write(f'\n], "counts": {orjson.dumps(counts).decode()}}}')
        return counts
