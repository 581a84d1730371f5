"""`manage.py ensure_store`: the first store, from the `LTD_STORE_*` settings."""

from argparse import ArgumentParser
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction

from builds.models import Build, Store
from ltdkeeper.management.outcomes import ExitCode, ServiceCommand, end, not_made

# The first store, described by the environment, so that a fresh deployment can start with one.

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


@dataclass(frozen=True, kw_only=True)
class Difference:
    """A field whose setting is not what the store has. A frozen one is never written."""

    field: str
    wanted: str | int
    found: str | int
    is_frozen: bool

    def __str__(self) -> str:
        line = f"LTD_STORE_{self.field.upper()}={_text(self.wanted)}: the store has "
        line += f"{_text(self.found) or 'none'}."
        if self.is_frozen:
            line += (
                " It is frozen, since builds lie there: give the store of the settings another "
                "LTD_STORE_NAME."
            )
        return line


def ensure_first_store() -> tuple[Store | None, bool]:
    """The store that `LTD_STORE_*` names, and whether it was made now.

    An existing row is left as it is. None when the settings name no bucket. Raises
    ValidationError when they do not describe a store.
    """
    if not settings.LTD_STORE_BUCKET:
        return None, False
    wanted = {field: _wanted(field) for field in FIELDS}
    store = Store(name=settings.LTD_STORE_NAME, **wanted)
    with transaction.atomic():
        if found := Store.objects.filter(name=store.name).first():
            return found, False
        store.full_clean()
        store.save()
    return store, True


def differences(store: Store) -> list[Difference]:
    """In what `LTD_STORE_*` and the store differ."""
    has_builds = Build.objects.filter(product__store=store).exists()
    return [
        Difference(
            field=field,
            wanted=_wanted(field),
            found=getattr(store, field),
            is_frozen=field == "bucket" and has_builds,
        )
        for field in FIELDS
        if _wanted(field) != getattr(store, field)
    ]


def apply_differences(store: Store) -> list[Difference]:
    """Make the store what `LTD_STORE_*` says; what was changed. With a frozen one among them, none.

    Raises ValidationError when the store would not be a legal one.
    """
    with transaction.atomic():
        locked = Store.objects.select_for_update().get(pk=store.pk)
        found = differences(locked)
        if any(one.is_frozen for one in found):
            return []
        for one in found:
            setattr(locked, one.field, one.wanted)
        locked.forget_what_was_tried({one.field for one in found})
        locked.full_clean()
        locked.save(update_fields=[*(one.field for one in found), "post_support"])
    return found


def _wanted(field: str) -> str | int:
    value: str | int = getattr(settings, f"LTD_STORE_{field.upper()}")
    return value


def _text(value: str | int) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


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
