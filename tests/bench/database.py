"""A database of its own for a measurement, set up as production's is and removed afterwards."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection

from builds.models import Product, Store
from credentials.access.callers import Caller
from credentials.access.clients import command_line_user, create_client, make_api_key


@contextmanager
def fresh_database() -> Iterator[None]:
    """Every table, nothing in them."""
    logging.disable(logging.WARNING)
    before = connection.settings_dict["NAME"]
    connection.settings_dict["TEST"]["NAME"] = f"{before}.bench"
    connection.creation.create_test_db(verbosity=0, autoclobber=True)
    try:
        yield
    finally:
        connection.creation.destroy_test_db(before, verbosity=0)


def caller_of_a_product() -> tuple[Caller, Product]:
    """A client with a key, granted a product of a store."""
    role = "arn:aws:iam::123456789012:role/upload"
    store = Store.objects.create(name="main", bucket="docs-bucket", role_arn=role)
    product = Product.objects.create(slug="guide", store=store, surrogate_key="a" * 32)
    client, _ = create_client(name="ci", product_slugs=["guide"], may_create_products=False)
    key, _ = make_api_key(client=client, actor=command_line_user())
    return Caller(client=client, api_key=key), product
