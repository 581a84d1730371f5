"""`manage.py doctor`: find what is wrong in a store's account before a job fails."""

from argparse import ArgumentParser
from functools import partial
from typing import Any

import orjson
from django.conf import settings

from credentials.operations.account.doctor import (
    Result,
    document,
    examine_store,
    has_looked,
    kept_findings,
    summary_line,
)
from credentials.operations.findings import Severity
from credentials.operations.runs import recorded_run
from ltdkeeper.management.outcomes import (
    ExitCode,
    ServiceCommand,
    add_profile_argument,
    end,
    profile_session,
    stores_named,
)


class Command(ServiceCommand):
    help = (
        "Check a store's account with the auditor's credentials, and try calls that "
        "the service's own credentials must not be able to make. Leaves nothing behind "
        "at the store. Exit code 1 if there is an unacknowledged error."
    )
    json_option = orjson.OPT_INDENT_2

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--store", metavar="NAME", help="default: every store")
        add_profile_argument(parser)
        parser.add_argument("--format", choices=["text", "json"], default="text")

    def handle(self, *_args: Any, **options: Any) -> None:
        auditor = profile_session(options["profile"])
        revoker = profile_session(settings.LTD_REVOKER_PROFILE)
        stores = stores_named(options["store"])
        found: dict[str, list[Result]] = {}
        has_error = False
        with self.json_at_end(partial(document, found)):
            for store in stores:
                results = found[store.name] = []
                note = partial(self._note, results)
                self.say(f"Store {store.name}: {store.bucket}, {store.role_arn}")
                with recorded_run("doctor", store=store) as run:
                    examine_store(store=store, auditor=auditor, revoker=revoker, on_result=note)
                    run.looked_at(checks=len(results))
                    is_whole = has_looked(results)
                    for each in run.keep(kept_findings(results), is_whole=is_whole):
                        is_error = each.finding.severity is Severity.ERROR
                        has_error |= is_error and not each.is_acknowledged
                self.say(f"Store {store.name}: {summary_line(results)}")
        end(ExitCode.FINDINGS if has_error else ExitCode.NOTHING_FOUND)

    def _note(self, results: list[Result], result: Result) -> None:
        results.append(result)
        self.say(*result.lines())
