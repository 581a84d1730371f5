"""`POST /oidc/token` with a format: the lines for one CI step, for an identity token."""

from collections.abc import Callable

import pytest

from builds.models import Product, Store
from credentials.models import JobToken, TrustedPublisher, UsedIdentityToken
from tests.http.problem import assert_problem
from tests.oidc.conftest import Show, Trust

pytestmark = [pytest.mark.django_db, pytest.mark.loopback]

Signed = Callable[..., str]


@pytest.fixture
def elsewhere(make_product: Callable[..., Product]) -> Product:
    """A product in a store with another region; it comes before `guide` in the alphabet."""
    role = "arn:aws:iam::123456789012:role/upload"
    store = Store.objects.create(name="far", bucket="far", role_arn=role, region="eu-west-1")
    return make_product("distant", store=store)


@pytest.fixture
def both(trust: Trust, product: Product, elsewhere: Product) -> TrustedPublisher:
    """A rule for both products, which its client is granted."""
    rule = trust(product, elsewhere)
    rule.client.grants.create(product=elsewhere)
    return rule


@pytest.mark.parametrize("form", ["env", "github"])
def test_lines_hold_the_job_token(
    form: str, show: Show, publisher: TrustedPublisher, signed: Signed
) -> None:
    answer = show(signed(), format=form)
    text = answer.content.decode()
    assert answer["Content-Type"] == "text/plain; charset=utf-8"
    assert answer["Cache-Control"] == "no-store"
    assert f"export LTD_PASSWORD={JobToken.objects.get().token_name}_" in text
    assert "export LTD_USERNAME=ci\n" in text
    assert ("::add-mask::" in text) is (form == "github")


def test_delivery_can_be_chosen(show: Show, publisher: TrustedPublisher, signed: Signed) -> None:
    text = show(signed(), format="env", delivery="container").content.decode()
    assert "export AWS_CONTAINER_CREDENTIALS_FULL_URI=" in text


@pytest.mark.parametrize("member", [{"format": "csh"}, {"delivery": "post"}, {"format": None}])
def test_unknown_form_uses_nothing_up(
    member: dict[str, str | None], show: Show, publisher: TrustedPublisher, signed: Signed
) -> None:
    assert_problem(show(signed(), **member), 400, "invalid_request")
    assert not UsedIdentityToken.objects.exists()


def test_first_product_that_was_asked_for_leads(
    show: Show, trust: Trust, product: Product, make_product: Callable[..., Product], signed: Signed
) -> None:
    first = make_product("zoo")
    trust(product, first).client.grants.create(product=first)
    text = show(signed(), format="env", products=["zoo", "guide", "zoo"]).content.decode()
    assert "export LTD_PRODUCT=zoo\n" in text
    assert [grant.product.slug for grant in JobToken.objects.get().grants.order_by("pk")] == [
        "zoo",
        "guide",
    ]


def test_several_stores_use_nothing_up(show: Show, both: TrustedPublisher, signed: Signed) -> None:
    token = signed()
    assert_problem(show(token, format="env"), 400, "several_stores")
    assert not JobToken.objects.exists()
    text = show(token, format="env", products=["distant"]).content.decode()
    assert "export AWS_REGION=eu-west-1\n" in text


def test_token_itself_may_open_several_stores(
    show: Show, both: TrustedPublisher, signed: Signed
) -> None:
    assert show(signed()).json()["products"] == ["distant", "guide"]
