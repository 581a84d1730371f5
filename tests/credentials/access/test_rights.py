"""What a caller may use: the grant, the key, the rule and the job token must each open it."""

from collections.abc import Callable
from datetime import datetime

import pytest

from builds.models import Product
from credentials.access.callers import Caller, authenticate
from credentials.access.clients import start_job_token
from credentials.access.rights import usable_products
from credentials.models import Grant, OidcIssuer, TrustedPublisher
from tests.credentials.access.conftest import MakeJob

MakeProduct = Callable[..., Product]


@pytest.fixture
def other(caller: Caller, make_product: MakeProduct) -> Product:
    """A second product that the client is granted."""
    other = make_product("other")
    Grant.objects.create(client=caller.client, product=other)
    return other


@pytest.fixture
def rule(caller: Caller, product: Product) -> TrustedPublisher:
    """A trusted publisher for the first product."""
    issuer = OidcIssuer.objects.create(
        kind="github", issuer="https://ci.example.org", jwks_url="https://ci.example.org/keys"
    )
    conditions = {"repository_id": ["74"], "repository_owner_id": ["65"]}
    rule = TrustedPublisher.objects.create(
        name="guide", client=caller.client, issuer=issuer, conditions=conditions
    )
    rule.products.add(product)
    return rule


def opened(caller: Caller) -> list[str]:
    return sorted(product.slug for product in usable_products(caller))


def test_client_opens_what_it_is_granted(
    caller: Caller, other: Product, make_product: MakeProduct
) -> None:
    make_product("third")
    assert opened(caller) == ["guide", "other"]


def test_job_token_opens_the_products_it_is_for(make_job: MakeJob, other: Product) -> None:
    assert opened(make_job(other)) == ["other"]


def test_job_token_is_bound_by_the_key_it_came_from(
    make_job: MakeJob, caller: Caller, other: Product
) -> None:
    caller.api_key.all_products = False
    caller.api_key.save()
    assert opened(make_job(other)) == []


def test_job_token_is_bound_by_the_rule_it_came_from(
    caller: Caller, product: Product, other: Product, rule: TrustedPublisher, now: datetime
) -> None:
    _, secret = start_job_token(
        client=caller.client, products=[product, other], publisher=rule, now=now
    )
    job = authenticate(raw_token=secret.reveal(), name=None, now=now)
    assert opened(job) == ["guide"]
