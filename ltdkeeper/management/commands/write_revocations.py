"""`manage.py write_revocations`: write revocations to the stores; meant for cron."""

from argparse import ArgumentParser
from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from typing import Any

import boto3

from builds.models import Store
from credentials.errors import AlreadyRunning
from credentials.operations.recovery import why_restored
from credentials.operations.revocation_policy import Written
from credentials.operations.runs import recorded_run
from ltdkeeper.management import revocations
from ltdkeeper.management.outcomes import (
    ServiceCommand,
    add_revoker_argument,
    end,
    not_made,
    profile_session,
    store_named,
)


class Command(ServiceCommand):
    help = (
        "Write the policy of revoked sessions to each store's upload role, and check that the "
        "store enforces it. Run it every minute; safe to repeat. Exit code 3 if a decision failed."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--store", metavar="NAME", help="default: every store")
        add_revoker_argument(parser)
        parser.add_argument("--format", choices=["text", "json"], default="text")

    def handle(self, *_args: Any, **options: Any) -> None:
        if why := why_restored():  # it would take away revocations made since the backup
            raise not_made(why)
        session = profile_session(options["profile"])
        revoked = Store.objects.filter(revocations__isnull=False).distinct().order_by("name")
        name = options["store"]
        stores = [store_named(name)] if name else list(revoked)
        # One store alone is written by hand: what cron has to do is as due as before.
        with nullcontext() if name else recorded_run("write_revocations") as run:
            written = list(_write(stores, session))
            decisions = [each for one in written for each in one.decisions]
            if run:
                run.looked_at(stores=len(written))
                if failed := revocations.count_failed(decisions):
                    run.problem = f"Failed at the store: {failed} of {len(decisions)}."
        self.answer(
            {"revocations": [revocations.members(each) for each in decisions]},
            *revocations.lines(decisions),
            *(map(_line, written) if written else ["No store has a revocation."]),
        )
        end(revocations.exit_code(decisions))


def _write(stores: Iterable[Store], session: boto3.session.Session | None) -> Iterator[Written]:
    """A store that another run writes holds up no other. Raises AlreadyRunning at the end."""
    busy: AlreadyRunning | None = None
    for store in stores:
        try:
            yield revocations.write(store, session)
        except AlreadyRunning as err:
            busy = err
    if busy:
        raise busy


def _line(written: Written) -> str:
    unchanged = "not written" if written.has_failed else "unchanged"
    what = "written" if written.is_changed else unchanged
    entries = f"{written.entries} of {written.capacity} entries needed."
    return f"Store {written.store}: policy {what}; {entries}"
