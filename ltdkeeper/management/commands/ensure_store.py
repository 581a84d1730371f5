"""`manage.py ensure_store`: the first store, from the `LTD_STORE_*` settings."""

from argparse import ArgumentParser
from typing import Any

from django.conf import settings

from credentials.access.clients import command_line_user
from credentials.operations.configuration import (
    Change,
    Configuration,
    ConfigurationError,
    StoreEntry,
    apply,
    plan,
)
from ltdkeeper.management.outcomes import ExitCode, ServiceCommand, end, not_made

# Fields of the store, each set by `LTD_STORE_` and its name in capitals.
FIELDS = (
    "bucket",
    "region",
    "endpoint_url",
    "public_endpoint_url",
    "role_arn",
    "role_max_seconds",
    "external_id",
    "kms_key_arn",
    "addressing",
    "with_sync",
)
FROZEN = " It is frozen, because builds are in it: set another LTD_STORE_NAME."


def wanted_store() -> Configuration:
    """What the settings describe: `manage.py apply` for one store."""
    fields = {name: getattr(settings, f"LTD_STORE_{name.upper()}") for name in FIELDS}
    return Configuration(stores={settings.LTD_STORE_NAME: StoreEntry(**fields)})


def _lines(change: Change) -> list[str]:
    return [
        f"LTD_STORE_{name.upper()}={_text(wanted)}: the store has {_text(found) or 'none'}."
        + (FROZEN if name in change.frozen else "")
        for name, (found, wanted) in change.fields.items()
    ]


def _text(value: str | int) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


class Command(ServiceCommand):
    help = (
        "Create the store that LTD_STORE_* describes. If there is one with its name, list the "
        "differences and exit 1; --apply writes them to the store. Safe to repeat."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--apply", action="store_true", help="write differences to the store")

    def handle(self, *_args: Any, **options: Any) -> None:
        if not settings.LTD_STORE_BUCKET:
            self.stdout.write("LTD_STORE_BUCKET is not set: create stores in the admin.")
            return
        wanted, name = wanted_store(), settings.LTD_STORE_NAME
        try:
            changes = plan(wanted)
            is_new = any(change.kind == "create" for change in changes)
            is_frozen = any(change.frozen for change in changes)
            if is_new or (options["apply"] and changes and not is_frozen):
                changes = apply(wanted, actor=command_line_user())
                fields = ", ".join(field for change in changes for field in change.fields)
                made = f"Created the store {name}."
                self.stdout.write(made if is_new else f"Changed the store {name}: {fields}.")
                return
        except ConfigurationError as err:
            wrong = "; ".join(err.problems).replace(f"stores.{name}.", "")
            raise not_made(f"LTD_STORE_* does not describe a store. {wrong}") from err
        self.stdout.write(f"Found the store {name}.")
        for line in (line for change in changes for line in _lines(change)):
            self.stdout.write(line)
        if changes:
            self.stdout.write(
                "Nothing was changed. `ensure_store --apply` writes the settings to the store, "
                "unless one is frozen; or set LTD_STORE_* to what the store has."
            )
            end(ExitCode.FINDINGS)
