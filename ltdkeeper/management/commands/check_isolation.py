"""`manage.py check_isolation`: prove on the real store that builds are kept apart."""

from argparse import ArgumentParser
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from functools import partial
from typing import Any

from django.core.management import CommandError
from django.utils import timezone

from builds.models import Store
from credentials.models.runs import IsolationRun
from credentials.operations.isolation.calls import CALLS
from credentials.operations.isolation.checking import broken_isolation, request_check, run_check
from credentials.operations.runs import recorded_run
from credentials.rules.verdicts import Line
from ltdkeeper.management.outcomes import ExitCode, ServiceCommand, end, not_made, stores_named

# As wide as the longest call.
WIDTH = max(len(call.title) for call in CALLS)

# A run, and what it has found so far.
Begun = tuple[IsolationRun, list[Line]]


class Command(ServiceCommand):
    help = (
        "Make the calls that a build's credentials must, and must not, be able to make. "
        "Exit code 1 if a store does not keep builds apart, 3 if that could not be checked."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--store", metavar="NAME", help="default: every store")
        parser.add_argument(
            "--requested", action="store_true", help="only the checks requested in the admin"
        )
        parser.add_argument("--format", choices=["text", "json"], default="text")

    def handle(self, *_args: Any, **options: Any) -> None:
        only_requested = options["requested"]
        name = options["store"]
        stores = stores_named(name) if name or not only_requested else _requested()
        begun: list[Begun] = []
        with self.json_at_end(partial(_document, begun)):
            for store in stores:
                # A check that shows nothing has failed as a run; what earlier ones found stays.
                with suppress(CommandError), recorded_run("check_isolation", store=store) as job:
                    for run in _runs_of(store, only_requested=only_requested):
                        self._check(run, begun)
                        if run.verdict == "unchecked":
                            raise not_made(run.summary)
                        job.looked_at(calls=len(run.lines))
                        list(job.keep(broken_isolation(run)))
            if not begun and only_requested:
                self.say("No check is requested.")
        end(_exit_code({run.verdict for run, _ in begun}))

    def _check(self, run: IsolationRun, begun: list[Begun]) -> None:
        lines: list[Line] = []
        begun.append((run, lines))
        self.say(f"Store {run.store}, bucket {run.store.bucket}")
        run_check(run=run, on_line=partial(self._note, lines))
        support = run.store.get_post_support_display()
        self.say(run.summary, f"Presigned POSTs of a build's session: {support}.")

    def _note(self, lines: list[Line], line: Line) -> None:
        lines.append(line)
        mark = "ok   " if line.is_right else "WRONG"
        self.say(f"  {mark} {line.call:<{WIDTH}} {line.outcome} ({line.answer})")


def _requested() -> list[Store]:
    requested = IsolationRun.objects.requested().values("store")
    return list(Store.objects.filter(pk__in=requested).order_by("name"))


def _runs_of(store: Store, *, only_requested: bool) -> list[IsolationRun]:
    if only_requested:
        requested = IsolationRun.objects.requested().filter(store=store)
        return list(requested.select_related("store"))
    return [request_check(store=store, now=timezone.now())]


def _exit_code(verdicts: set[str]) -> ExitCode:
    if "failed" in verdicts:
        return ExitCode.FINDINGS
    return ExitCode.NOT_MADE if "unchecked" in verdicts else ExitCode.NOTHING_FOUND


def _document(begun: Sequence[Begun], **error: str) -> object:
    """A list of runs; one that broke off is an object, in which the last run may be unfinished."""
    runs = [_told(run, lines) for run, lines in begun]
    return {"runs": runs, **error} if error else runs


def _told(run: IsolationRun, lines: Sequence[Line]) -> dict[str, Any]:
    return {
        "store": run.store.name,
        "bucket": run.store.bucket,
        "passed": run.passed,
        "verdict": run.verdict,
        "summary": run.summary,
        "post_support": run.store.post_support,
        "finished_at": run.finished_at,
        "lines": run.lines or [asdict(line) for line in lines],
    }
