"""A job token for what a caller asks, and what one CI step needs around it."""

from collections.abc import Sequence
from datetime import datetime

from builds.models import Product
from credentials.access.callers import Caller
from credentials.access.clients import granted_product
from credentials.access.jobs import MintedToken, start_job_token
from credentials.access.rights import usable_products
from credentials.handout.errors import NoProductNamed
from credentials.handout.facts import Step, StepDelivery
from credentials.handout.places import require_one_place
from credentials.secret import Secret


def hand_out_job_token(
    *,
    caller: Caller,
    shown: Secret,
    product_slugs: Sequence[str],
    now: datetime,
    life_seconds: int | None = None,
    for_a_step: bool = False,
) -> MintedToken:
    """A new job token of an API key or key session, which it never outlives.

    A job token, `shown`, is handed out again as it is; without slugs, for all its products.
    Raises NoProductNamed, UnknownProduct, ProductNotGranted, LifeOutOfRange; and for a step, what
    `require_one_place` raises. Nothing is made then.
    """
    products = _products(caller, product_slugs)
    if for_a_step:
        require_one_place(products)
    if caller.job_token:
        return MintedToken(row=caller.job_token, text=shown, products=products)
    row, text = start_job_token(
        client=caller.client,
        api_key=caller.api_key,
        products=products,
        now=now,
        life_seconds=life_seconds,
        not_after=caller.expires_at,
    )
    return MintedToken(row=row, text=text, products=products)


def step_of(minted: MintedToken, *, host: str, delivery: StepDelivery) -> Step:
    """What the lines for one CI step are made of. `host` is this service's public address.

    Raises as `require_one_place` does.
    """
    return Step(
        host=host,
        client_name=minted.row.client.name,
        token=minted.text,
        product_slugs=tuple(product.slug for product in minted.products),
        store=require_one_place(minted.products),
        delivery=delivery,
    )


def _products(caller: Caller, slugs: Sequence[str]) -> list[Product]:
    """The products that were named; for a job token that names none, all that it opens."""
    products = [granted_product(caller=caller, slug=slug) for slug in dict.fromkeys(slugs)]
    if caller.job_token and not slugs:
        products = list(usable_products(caller).select_related("store").order_by("slug"))
    if not products:
        raise NoProductNamed
    return products
