"""A database of its own for a measurement, set up as production's is and removed afterwards."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection

from builds.models import Product, Store
from credentials.access.callers import Caller
from credentials.access.clients import command_line_user, create_client, make_api_key


@contextmanager
def fresh_database(title: str = "bench") -> Iterator[str]:
    """Every table, nothing in them; gives the database's name. May be nested, for two at once."""
    logging.disable(logging.WARNING)
    before = connection.settings_dict["NAME"]
    connection.settings_dict["TEST"]["NAME"] = f"{before}.{title}"
    name = connection.creation.create_test_db(verbosity=0, autoclobber=True)
    try:
        yield name
    finally:
        switch_to(name)
        connection.creation.destroy_test_db(before, verbosity=0)


def switch_to(name: str) -> None:
    """Let what follows use that database."""
    connection.close()
    connection.settings_dict["NAME"] = name


def caller_of_a_product() -> tuple[Caller, Product]:
    """A client with a key, granted a product of a store."""
    role = "arn:aws:iam::123456789012:role/upload"
    store = Store.objects.create(name="main", bucket="docs-bucket", role_arn=role)
    product = Product.objects.create(slug="guide", store=store, surrogate_key="a" * 32)
    client, _ = create_client(name="ci", product_slugs=["guide"], may_create_products=False)
    key, _ = make_api_key(client=client, actor=command_line_user())
    return Caller(client=client, api_key=key), product
