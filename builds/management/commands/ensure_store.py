"""`manage.py ensure_store`: the first store, from the `LTD_STORE_*` settings."""

from typing import Any

from django.core.exceptions import ValidationError

from builds.first_store import ensure_first_store
from credentials.management.outcomes import ServiceCommand, not_made


class Command(ServiceCommand):
    help = "Make the store that LTD_STORE_* describes, if no store has its name. Safe to repeat."

    def handle(self, *_args: Any, **_options: Any) -> None:
        try:
            store, made = ensure_first_store()
        except ValidationError as err:
            wrong = "; ".join(f"{name}: {' '.join(why)}" for name, why in err.message_dict.items())
            raise not_made(f"LTD_STORE_* does not describe a store. {wrong}") from err
        if store is None:
            self.stdout.write("LTD_STORE_BUCKET is not set: stores are made in the admin.")
        else:
            self.stdout.write(f"{'Made' if made else 'Found'} the store {store}.")
