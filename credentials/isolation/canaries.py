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
    """Two open builds of one product, one of another, and their client, which has no key."""

    caller: Caller
    own: Build
    sibling: Build
    other: Build

    @property
    def builds(self) -> tuple[Build, Build, Build]:
        return self.own, self.sibling, self.other


def product_slugs(store: Store) -> tuple[str, str]:
    """The slugs of a store's canary products."""
    return f"{CANARY_PREFIX}{store.pk}", f"{CANARY_PREFIX}{store.pk}-other"


def register_canaries(*, store: Store, now: datetime) -> Canaries:
    """Fresh builds of the store's canary products. Raises CanaryElsewhere, CanaryHasKeys."""
    with transaction.atomic():
        client, _ = Client.objects.get_or_create(name=CLIENT_NAME)
        product, another = (_canary_product(store, slug) for slug in product_slugs(store))
        for each in (product, another):
            Grant.objects.get_or_create(client=client, product=each)
    if client.api_keys.exists():
        raise CanaryHasKeys
    caller = Caller(client=client)
    own, sibling, other = (_register(caller, each, now) for each in (product, product, another))
    return Canaries(caller=caller, own=own, sibling=sibling, other=other)


def delete_canaries(*, canaries: Canaries, now: datetime) -> None:
    """Close the builds; their rows stay, as every build's do."""
    for build in canaries.builds:
        delete_build(build_id=build.pk, now=now)


def _canary_product(store: Store, slug: str) -> Product:
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
