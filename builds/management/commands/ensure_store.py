"""`manage.py ensure_store`: the first store, from the `LTD_STORE_*` settings."""

from argparse import ArgumentParser
from typing import Any

from django.core.exceptions import ValidationError

from builds.first_store import apply_differences, differences, ensure_first_store
from builds.models import Store
from credentials.management.outcomes import ExitCode, ServiceCommand, end, not_made


class Command(ServiceCommand):
    help = (
        "Make the store that LTD_STORE_* describes. Where there is one of its name, say in what "
        "it differs, with exit code 1; --apply changes it. Safe to repeat."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--apply", action="store_true", help="write differences to the store")

    def handle(self, *_args: Any, **options: Any) -> None:
        try:
            store, made = ensure_first_store()
            changed = apply_differences(store) if store and options["apply"] else []
        except ValidationError as err:
            wrong = "; ".join(f"{name}: {' '.join(why)}" for name, why in err.message_dict.items())
            raise not_made(f"LTD_STORE_* does not describe a store. {wrong}") from err
        if store is None:
            self.stdout.write("LTD_STORE_BUCKET is not set: stores are made in the admin.")
        elif changed:
            names = ", ".join(one.field for one in changed)
            self.stdout.write(f"Changed the store {store}: {names}.")
        else:
            self._compare(store, made=made)

    def _compare(self, store: Store, *, made: bool) -> None:
        self.stdout.write(f"{'Made' if made else 'Found'} the store {store}.")
        found = differences(store)
        for one in found:
            self.stdout.write(str(one))
        if found:
            self.stdout.write(
                "Nothing was changed. `ensure_store --apply` writes the settings to the store, "
                "unless one is frozen; or set LTD_STORE_* to what the store has."
            )
            end(ExitCode.FINDINGS)
