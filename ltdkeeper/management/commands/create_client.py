"""`manage.py create_client`: a client, its grants, and a new API key that is shown once."""

from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from builds.errors import DomainError
from builds.names import has_controls
from builds.services import find_product
from credentials.access.clients import command_line_user, create_client, make_api_key
from credentials.models import Client
from credentials.rules.secret import Secret
from ltdkeeper.management.outcomes import ServiceCommand, whole_number, wrong_argument

MOST_DAYS = 3650
LONGEST_LABEL = 64


class Command(ServiceCommand):
    help = "Create a client if it is missing, grant it products, and print a new API key once."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", help="what uploaders send as their user name")
        parser.add_argument("--product", action="append", default=[], metavar="SLUG")
        parser.add_argument("--may-create-products", action="store_true")
        parser.add_argument("--label", default="", help="where the key is used")
        parser.add_argument(
            "--only",
            action="append",
            metavar="SLUG",
            help="limit the key to this granted product; default: all of them",
        )
        parser.add_argument(
            "--network",
            action="append",
            default=[],
            metavar="CIDR",
            help="accept the key only from this network; default: from everywhere",
        )
        parser.add_argument(
            "--expires-days",
            type=whole_number(1, MOST_DAYS),
            metavar="N",
            help="default: the key never expires",
        )
        parser.add_argument("--format", choices=["text", "json"], default="text")

    def handle(self, *_args: Any, **options: Any) -> None:
        label = options["label"]
        if len(label) > LONGEST_LABEL or has_controls(label):
            raise wrong_argument(f"--label: at most {LONGEST_LABEL} characters, no controls.")
        try:
            client, made, secret = _make(options)
        except ValidationError as err:  # of the name or of networks
            argument = "name" if hasattr(err, "error_dict") else "--network"
            raise wrong_argument(f"{argument}: {' '.join(err.messages)}") from err
        except DomainError as err:
            raise wrong_argument(str(err)) from err
        lines = [
            f"{'Made' if made else 'Found'} the client {client.name}.",
            f"Its new API key, shown only now:\n{secret.reveal()}",
        ]
        if not options["expires_days"]:
            lines.append("It never expires, which the audit reports; --expires-days sets it.")
        self.answer({"client": client.name, "api_key": secret.reveal()}, *lines)


@transaction.atomic
def _make(options: dict[str, Any]) -> tuple[Client, bool, Secret]:
    """Client and key, or neither."""
    client, made = create_client(
        name=options["name"],
        product_slugs=options["product"],
        may_create_products=options["may_create_products"],
    )
    days, only = options["expires_days"], options["only"]
    _, secret = make_api_key(
        client=client,
        actor=command_line_user(),
        label=options["label"],
        expires_at=timezone.now() + timedelta(days=days) if days else None,
        products=only and [find_product(slug=slug) for slug in only],
        networks=options["network"],
    )
    return client, made, secret
