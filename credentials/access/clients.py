"""Making clients, granting them products, and asking what they may."""

from django.db import transaction

from builds.errors import SlugReserved, UnknownProduct
from builds.models import Product
from builds.services import create_product, find_product
from builds.slugs import is_product_slug
from credentials.access.build_rights import right_to_product
from credentials.access.callers import Caller
from credentials.access.models import Client, Grant
from credentials.errors import MayNotCreateProducts, ProductNotGranted

# Checks of isolation use products of this name; a client that made one could mislead them.
CANARY_PREFIX = "isolation-check-"


def create_client(
    *, name: str, product_slugs: list[str], may_create_products: bool
) -> tuple[Client, bool]:
    """The client of a name, made if missing (True), granted the products. Raises UnknownProduct.

    Rights are only added: an existing client loses nothing. Raises ValidationError for a name
    that is not legal.
    """
    with transaction.atomic():
        Client(name=name).clean_fields()
        client, made = Client.objects.get_or_create(name=name)
        if may_create_products and not client.may_create_products:
            client.may_create_products = True
            client.save(update_fields=["may_create_products"])
        for slug in product_slugs:
            Grant.objects.get_or_create(client=client, product=find_product(slug=slug))
        return client, made


def granted_product(*, caller: Caller, slug: str) -> Product:
    """A product the caller may use. Raises UnknownProduct, ProductNotGranted."""
    found = right_to_product(caller=caller, slug=slug) if is_product_slug(slug) else None
    if found is None:
        raise UnknownProduct
    product, is_open = found
    if not is_open:
        raise ProductNotGranted
    return product


def create_granted_product(
    *,
    caller: Caller,
    slug: str,
    store_name: str,
    title: str = "",
    doc_repo: str = "",
    root_domain: str = "",
) -> Product:
    """A new product, granted to the client that made it.

    Raises MayNotCreateProducts, SlugReserved, UnknownStore, SlugTaken.
    """
    if not caller.may_create_products:
        raise MayNotCreateProducts
    if slug.startswith(CANARY_PREFIX):
        raise SlugReserved
    with transaction.atomic():
        product = create_product(
            slug=slug,
            store_name=store_name,
            title=title,
            doc_repo=doc_repo,
            root_domain=root_domain,
        )
        Grant.objects.create(client=caller.client, product=product)
        return product
