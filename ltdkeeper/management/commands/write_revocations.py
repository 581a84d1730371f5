"""`manage.py write_revocations`: write revocations to the stores; meant for cron."""

from argparse import ArgumentParser
from contextlib import nullcontext
from typing import Any

import orjson

from builds.models import Store
from credentials.models import Revocation
from credentials.operations.recovery import why_restored
from credentials.operations.runs import recorded_run
from ltdkeeper.management import revocations
from ltdkeeper.management.outcomes import (
    ServiceCommand,
    add_revoker_argument,
    end,
    not_made,
    profile_session,
    wrong_argument,
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
        stores = Store.objects.filter(revocations__isnull=False).distinct().order_by("name")
        if name := options["store"]:
            stores = Store.objects.filter(name=name)
            if not stores.exists():
                raise wrong_argument("There is no such store. The admin lists them.")
        # One store alone is written by hand: what cron has to do is as due as before.
        with nullcontext() if name else recorded_run("write_revocations") as run:
            written = [revocations.write(store, session) for store in stores]
            decisions = [each for one in written for each in one.decisions]
            if run:
                run.looked_at(stores=len(written))
                failed = sum(each.state == Revocation.State.FAILED for each in decisions)
                run.problem = (
                    f"Failed at the store: {failed} of {len(decisions)}." if failed else ""
                )
        if options["format"] == "json":
            found = [revocations.members(each) for each in decisions]
            self.write_json(orjson.dumps({"revocations": found}).decode())
        else:
            for line in revocations.lines(decisions):
                self.stdout.write(line)
            for one in written:
                failed = any(each.state == Revocation.State.FAILED for each in one.decisions)
                unchanged = "not written" if failed else "unchanged"
                what = "written" if one.is_changed else unchanged
                self.stdout.write(
                    f"Store {one.store}: policy {what}; {one.entries} of {one.capacity} entries "
                    "needed."
                )
        end(revocations.exit_code(decisions))
