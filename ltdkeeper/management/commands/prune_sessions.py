"""`manage.py prune_sessions`: export old sessions to a file, then delete them from the ledger."""

from argparse import ArgumentParser
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

from django.utils import timezone
from tqdm import tqdm

from credentials.errors import ExportUnusable
from credentials.models import IssuedSession, LedgerExport
from credentials.operations.retention import (
    delete_exported,
    exports_to_make,
    prunable_until,
    write_export,
)
from credentials.operations.runs import recorded_run
from ltdkeeper.management.outcomes import ServiceCommand, days, not_made, wrong_argument

# Questions of incidents, audits and quotas look back for less.
LEAST_DAYS = 30


class Command(ServiceCommand):
    help = (
        "Export sessions older than a given age to a compressed file with a checksum, and delete "
        "them from the ledger once the file is on disk. Live and stuck sessions stay. Safe to "
        "repeat; the next run continues one that was killed."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--older-than",
            type=days(LEAST_DAYS),
            required=True,
            metavar="DAYS",
            help=f"400d; at least {LEAST_DAYS}d",
        )
        parser.add_argument(
            "--export", type=Path, metavar="DIR", help="where to write the file; required to delete"
        )
        parser.add_argument(
            "--dry-run", action="store_true", help="only print what would be deleted"
        )
        parser.add_argument("--format", choices=["text", "json"], default="text")

    def handle(self, *_args: Any, **options: Any) -> None:
        now, folder, dry_run = timezone.now(), options["export"], options["dry_run"]
        if not dry_run and not (folder and folder.is_dir()):
            raise wrong_argument("--export names no directory; no session is deleted without it.")
        until = prunable_until(older_than=options["older_than"], now=now)
        if until is None:
            raise not_made("No hour was counted yet: run manage.py roll_up first.")
        if dry_run:
            exports, rows = [], IssuedSession.objects.over(until).count()
        else:
            with recorded_run("prune_sessions") as run:
                exports = self._prune(until, folder, now)
                rows = sum(export.row_count for export in exports)
                run.looked_at(sessions=rows)
        done = "Nothing was changed; would export and delete" if dry_run else "Exported and deleted"
        files = [{"file": each.file_name, "sha256": each.sha256} for each in exports]
        self.answer(
            {"dry_run": dry_run, "until": until, "rows": rows, "exports": files},
            *(f"{each.file_name}  {each.row_count} rows  {each.sha256}" for each in exports),
            f"{done} {rows} sessions that were over by {until:%F %H}:00 UTC.",
        )

    def _prune(self, until: datetime, folder: Path, now: datetime) -> list[LedgerExport]:
        made = []
        try:
            for export in exports_to_make(until=until, now=now):
                _with_progress("exported", write_export(export=export, folder=folder, now=now))
                _with_progress("deleted", delete_exported(export=export, folder=folder, now=now))
                made.append(export)
        except (ExportUnusable, OSError) as err:
            raise not_made(str(err)) from err
        return made


def _with_progress(what: str, steps: Iterable[int]) -> None:
    with tqdm(desc=what, unit="row", disable=None) as bar:
        for rows in steps:
            bar.update(rows)
