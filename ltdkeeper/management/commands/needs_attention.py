"""`manage.py needs_attention`: the list of the admin's front page, for cron and terminals."""

from argparse import ArgumentParser
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from typing import Any
from urllib.parse import urljoin

from django.conf import settings
from django.urls import reverse
from django.utils import timezone

from credentials.models import last_verdicts
from credentials.operations.figures import history
from ltdkeeper.admin.attention import CHECKS, Attention, Counted, about_figures, about_isolation
from ltdkeeper.management.outcomes import ExitCode, ServiceCommand, end

MOST_ROWS = 20


class Command(ServiceCommand):
    help = (
        "Print what the admin's front page lists under Needs attention: failed revocations, "
        "refused calls by address, stuck sessions and builds, and so on. Exit code 1 if there is "
        "anything."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--format", choices=["text", "json"], default="text")

    def handle(self, *_args: Any, **_options: Any) -> None:
        found = list(matters(timezone.now()))
        lines = []
        for matter in found:
            lines += [matter.what, f"  {matter.why}", f"  {matter.address}"]
            lines += [f"    {row}" for row in matter.rows]
        items = f"{len(found)} item{'' if len(found) == 1 else 's'}" if found else "Nothing"
        self.answer({"matters": found}, *lines, f"{items} to look at.")
        end(ExitCode.FINDINGS if found else ExitCode.NOTHING_FOUND)


def matters(now: datetime) -> Iterator[Attention]:
    """All that the front page shows to whoever may see everything, in its order."""
    for check in CHECKS:
        if not isinstance(check, Counted):
            yield from map(_absolute, check.ask(now))
        elif rows := tuple(check.describe(row, now) for row in check.rows(now)[: MOST_ROWS + 1]):
            more = "+" if len(rows) > MOST_ROWS else ""
            found = check.answer(f"{len(rows[:MOST_ROWS])}{more}")
            yield _absolute(replace(found, rows=rows[:MOST_ROWS]))
    yield from map(_absolute, about_isolation(last_verdicts(), now))
    yield from map(_absolute, about_figures(history(now), now))


def _absolute(about: Attention) -> Attention:
    """With an address that can be pasted anywhere."""
    front_page = f"{settings.LTD_PUBLIC_URL}{reverse('admin:index')}"
    return replace(about, address=urljoin(front_page, about.address))
