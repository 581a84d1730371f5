"""`manage.py check_isolation`: prove on the real store that builds are kept apart."""

from argparse import ArgumentParser
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict
from functools import partial
from typing import Any

import orjson
from django.utils import timezone

from builds.models import Store
from credentials.models.runs import IsolationRun
from credentials.operations.isolation.calls import CALLS
from credentials.operations.isolation.checking import request_check, run_check
from credentials.operations.leases import only_run
from credentials.rules.verdicts import Line
from ltdkeeper.management.outcomes import ExitCode, ServiceCommand, end, wrong_argument

# As wide as the longest call.
WIDTH = max(len(call.title) for call in CALLS)

# A run, and what it has found so far.
Begun = tuple[IsolationRun, list[Line]]


class Command(ServiceCommand):
    help = (
        "Make the calls that a build's credentials must, and must not, be able to make. "
        "Exit code 1 when a store does not keep builds apart, 3 when that could not be checked."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--store", metavar="NAME", help="default: every store")
        parser.add_argument(
            "--requested", action="store_true", help="only the checks requested in the admin"
        )
        parser.add_argument("--format", choices=["text", "json"], default="text")

    def handle(self, *_args: Any, **options: Any) -> None:
        is_text = options["format"] == "text"
        with ExitStack() as held:
            stores = _requested() if options["requested"] else _named(options["store"])
            for store in stores:
                held.enter_context(only_run(f"check_isolation of the store {store.name}"))
            if options["requested"]:
                of_stores = IsolationRun.objects.requested().filter(store__in=stores)
                runs = list(of_stores.select_related("store"))
            else:
                runs = [request_check(store=store, now=timezone.now()) for store in stores]
            self._check(runs, is_text=is_text)
        end(_exit_code({run.verdict for run in runs}))

    def _check(self, runs: list[IsolationRun], *, is_text: bool) -> None:
        if not is_text:
            begun: list[Begun] = []
            with self.json_at_end(partial(_document, begun)):
                for run in runs:
                    lines: list[Line] = []
                    begun.append((run, lines))
                    run_check(run=run, on_line=lines.append)
            return
        for run in runs:
            self.stdout.write(f"Store {run.store}, bucket {run.store.bucket}")
            run_check(run=run, on_line=self._print)
            self.stdout.write(run.summary)
            support = run.store.get_post_support_display()
            self.stdout.write(f"Presigned POSTs of a build's session: {support}.")

    def _print(self, line: Line) -> None:
        mark = "ok   " if line.is_right else "WRONG"
        answer = f"{line.outcome} ({line.answer})"
        self.stdout.write(f"  {mark} {line.call:<{WIDTH}} {answer}")


def _requested() -> list[Store]:
    requested = IsolationRun.objects.requested().values("store")
    return list(Store.objects.filter(pk__in=requested).order_by("name"))


def _named(name: str | None) -> list[Store]:
    stores = Store.objects.filter(name=name) if name else Store.objects.order_by("name")
    if not stores:
        raise wrong_argument("There is no such store. The admin lists them.")
    return list(stores)


def _exit_code(verdicts: set[str]) -> ExitCode:
    if "failed" in verdicts:
        return ExitCode.FINDINGS
    return ExitCode.NOT_MADE if "unchecked" in verdicts else ExitCode.NOTHING_FOUND


def _document(begun: Sequence[Begun], **error: str) -> str:
    """A list of runs; one that broke off is an object, in which the last run may be unfinished."""
    runs = [_told(run, lines) for run, lines in begun]
    return orjson.dumps({"runs": runs, **error} if error else runs).decode()


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
