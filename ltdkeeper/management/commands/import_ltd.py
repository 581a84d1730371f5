"""`manage.py import_ltd`: import products and builds from a running LTD Keeper."""

from argparse import ArgumentParser
from collections import Counter
from contextlib import nullcontext
from typing import Any

from tqdm import tqdm

from builds.importing import (
    Fate,
    Import,
    Imported,
    Keeper,
    KeeperAnswerError,
    KeeperUnreachableError,
)
from builds.models import Store
from credentials.access.clients import CANARY_PREFIX
from credentials.operations.leases import only_run
from ltdkeeper.management.outcomes import (
    ExitCode,
    ServiceCommand,
    end,
    not_made,
    store_named,
    wrong_argument,
)


class Command(ServiceCommand):
    help = (
        "Import the products and finished builds of a running LTD Keeper, with their "
        "slugs. Existing rows are never overwritten. Safe to repeat; it continues "
        "where it stopped. Exit code 1 if there is a conflict, 3 if something could "
        "not be read."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--from", dest="url", required=True, metavar="URL", help="https://keeper.example.org"
        )
        parser.add_argument(
            "--store", required=True, metavar="NAME", help="the store with its bucket"
        )
        parser.add_argument("--dry-run", action="store_true", help="only print what would be done")

    def handle(self, *_args: Any, **options: Any) -> None:
        store = store_named(options["store"])
        apply = not options["dry_run"]
        try:
            one_run = only_run("import_ltd") if apply else nullcontext()
            with Keeper(options["url"]) as keeper, one_run:
                counts = self._import(keeper, store, apply=apply)
        except KeeperUnreachableError as err:
            raise not_made(f"{err} Run it again: it continues where it stopped.") from err
        except KeeperAnswerError as err:
            raise not_made(str(err)) from err
        except ValueError as err:
            raise wrong_argument(f"--from {options['url']}: {err}.") from err
        told = ", ".join(f"{counts[fate]} {fate}" for fate in Fate)
        self.stdout.write(f"{'' if apply else 'Nothing was changed. '}Products and builds: {told}.")
        end(_exit_code(counts))

    def _import(self, keeper: Keeper, store: Store, *, apply: bool) -> Counter[Fate]:
        counts: Counter[Fate] = Counter()
        with tqdm(total=0, unit="build", disable=None) as bar:

            def expect(builds: int) -> None:
                bar.total = (bar.total or 0) + builds

            found = Import(
                keeper=keeper,
                store=store,
                apply=apply,
                reserved=CANARY_PREFIX,
                on_builds=expect,
            )
            for one in found.everything():
                counts[one.fate] += 1
                bar.update(one.kind == "build")
                self._tell(one)
        return counts

    def _tell(self, one: Imported) -> None:
        if one.reason:
            self.stdout.write(f"{one.name}: {one.fate}. {one.reason}")


def _exit_code(counts: Counter[Fate]) -> ExitCode:
    if counts[Fate.FAILED]:
        return ExitCode.NOT_MADE
    return ExitCode.FINDINGS if counts[Fate.CONFLICT] else ExitCode.NOTHING_FOUND
