"""`manage.py recover_builds`: after a restore, the builds that only a store's bucket knows."""

from argparse import ArgumentParser
from typing import Any

from django.utils import timezone
from tqdm import tqdm

from credentials.operations.leases import only_run
from credentials.operations.recovery import confirm_complete, recover_builds
from credentials.vending.store_errors import CALL_FAILED, loggable
from ltdkeeper.management.outcomes import (
    ServiceCommand,
    add_profile_argument,
    auditor_session,
    not_made,
    store_named,
)


class Command(ServiceCommand):
    help = (
        "After restoring a backup: register every build that has objects in a store's bucket but "
        "no row in the database, as finished, so that its root is never used again. Safe to "
        "repeat. On a restored database, the service starts only after this was run for each store."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("store", metavar="STORE")
        parser.add_argument(
            "--moved",
            action="store_true",
            help="nothing is missing: the database was moved while everything was stopped",
        )
        add_profile_argument(parser)

    def handle(self, *_args: Any, **options: Any) -> None:
        store = store_named(options["store"])
        if options["moved"]:
            confirm_complete(store)
            self.stdout.write(f"Store {store} has all of its builds.")
            return
        auditor = auditor_session(options["profile"])
        count, now = 0, timezone.now()
        with only_run("recover_builds"), tqdm(unit="object", disable=None) as bar:
            try:
                for build in recover_builds(
                    store=store, auditor=auditor, now=now, on_objects=bar.update
                ):
                    count += 1
                    self.stdout.write(f"{build.root}")
            except CALL_FAILED as err:
                raise not_made(f"Store {store}: {loggable(err)}.") from err
        self.stdout.write(f"Recovered {count} builds.")
