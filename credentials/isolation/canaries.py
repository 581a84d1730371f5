"""The builds that a check is made with: a product of its own in each store, made when needed."""

from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from builds.models import Build, Product, Store
from builds.services import create_product, delete_build
from credentials.access.callers import Caller
from credentials.access.clients import CANARY_PREFIX
from credentials.access.models import Client, Grant
from credentials.access.ownership import register_owned_build
from credentials.errors import CanaryElsewhere, CanaryHasKeys

CLIENT_NAME = "isolation-check"


@dataclass(frozen=True, kw_only=True)
class Canaries:
    """Two open builds of one product, and the client that owns them. It has no key."""

    caller: Caller
    own: Build
    sibling: Build


def product_slug(store: Store) -> str:
    """The slug of a store's canary product."""
    return f"{CANARY_PREFIX}{store.pk}"


def register_canaries(*, store: Store, now: datetime) -> Canaries:
    """Two fresh builds of the store's canary product. Raises CanaryElsewhere, CanaryHasKeys."""
    with transaction.atomic():
        client, _ = Client.objects.get_or_create(name=CLIENT_NAME)
        product = _canary_product(store)
        Grant.objects.get_or_create(client=client, product=product)
    if client.api_keys.exists():
        raise CanaryHasKeys
    caller = Caller(client=client)
    own, sibling = (_register(caller, product, now) for _ in range(2))
    return Canaries(caller=caller, own=own, sibling=sibling)


def delete_canaries(*, canaries: Canaries, now: datetime) -> None:
    """Close both builds; their rows stay, as every build's do."""
    for build in (canaries.own, canaries.sibling):
        delete_build(build_id=build.pk, now=now)


def _canary_product(store: Store) -> Product:
    slug = product_slug(store)
    if found := Product.objects.select_related("store").filter(slug=slug).first():
        if found.store != store:
            raise CanaryElsewhere
        return found
    return create_product(slug=slug, store_name=store.name, title="Checks of isolation")


def _register(caller: Caller, product: Product, now: datetime) -> Build:
    return register_owned_build(
        caller=caller,
        product=product,
        slug=None,
        git_refs=["isolation-check"],
        github_requester="",
        now=now,
    )
