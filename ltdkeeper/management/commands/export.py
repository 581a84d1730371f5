"""`manage.py export`: the current configuration, in the format that `manage.py apply` reads."""

from typing import Any

import yaml

from credentials.operations.configuration import ConfigurationError, export
from ltdkeeper.management.outcomes import ServiceCommand, not_made

WIDTH = 100
HEADER = "# Written by `manage.py export`, for `manage.py apply`. Contains no secrets."


class Command(ServiceCommand):
    help = "Print stores, products, issuers, clients, publishers and groups as YAML for `apply`."

    def handle(self, *_args: Any, **_options: Any) -> None:
        try:
            found = export()
        except ConfigurationError as err:
            raise not_made(str(err)) from err
        text = yaml.safe_dump(found, sort_keys=False, allow_unicode=True, width=WIDTH)
        self.stdout.write(f"{HEADER}\n{text}", ending="")
