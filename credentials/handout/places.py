"""Where the store of some products is, for an environment that holds one region and endpoint."""

from collections.abc import Sequence

from builds.models import Product, Store
from credentials.handout.errors import SeveralStores
from credentials.handout.facts import StorePlace


def require_one_place(products: Sequence[Product]) -> StorePlace:
    """Where the products' store is: a step's environment holds one region and one endpoint.

    Raises SeveralStores when they lie in stores that differ in these.
    """
    places = {_place(product.store) for product in products}
    if len(places) > 1:
        raise SeveralStores
    return places.pop()


def _place(store: Store) -> StorePlace:
    return StorePlace(
        region=store.region,
        endpoint_url=store.client_endpoint_url,
        addressing=store.addressing,
    )
