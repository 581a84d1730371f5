"""`GET /token?format=...`: a job token for some products, as JSON or as lines for a shell."""

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from builds.models import Product, Store
from credentials.access.callers import Caller
from credentials.models import AccessToken, ApiKey, JobToken
from tests.conftest import raw_key
from tests.http.conftest import Refused, Send, basic
from tests.http.endpoints import LIST_PRODUCTS, TOKEN, Endpoint

pytestmark = pytest.mark.django_db

TOKEN_FORM = re.compile(r"ltdj_[a-z0-9]{12}_[0-9a-f]{64}")
FORMS = ["env", "github", "json"]
ROLE_ARN = "arn:aws:iam::123456789012:role/upload"


def asking(query: str) -> Endpoint:
    return Endpoint(method="GET", path=f"/token?{query}")


@pytest.fixture
def ask(send: Send) -> Callable[..., Any]:
    """Ask for a job token as JSON, which must be given."""

    def call(query: str = "format=json&product=guide", **headers: str) -> Any:
        response = send(asking(query), **headers)
        assert response.status_code == 200, response.content
        return response.json()

    return call


@pytest.fixture
def payroll(make_product: Callable[..., Product], caller: Caller) -> Product:
    """Another product that the client is granted."""
    product = make_product("payroll")
    caller.client.grants.create(product=product)
    return product


@pytest.mark.parametrize("form", ["env", "github"])
def test_lines_are_plain_text_with_a_job_token(form: str, send: Send) -> None:
    response = send(asking(f"format={form}&product=guide"))
    text = response.content.decode()
    (token,) = set(TOKEN_FORM.findall(text))
    assert response["Content-Type"] == "text/plain; charset=utf-8"
    assert f"export LTD_PASSWORD={token}\n" in text
    assert "export LTD_HOST=https://keeper.example.org\n" in text
    assert JobToken.objects.get().token_name == token.rpartition("_")[0]


@pytest.mark.parametrize("form", FORMS)
def test_answer_is_never_stored(form: str, send: Send) -> None:
    response = send(asking(f"format={form}&product=guide"))
    assert (response["Cache-Control"], response["Vary"]) == ("no-store", "Authorization")


def test_json_says_what_it_is_for(ask: Callable[..., Any], payroll: Product) -> None:
    answer = ask("format=json&product=payroll&product=guide&product=payroll")
    row = JobToken.objects.get()
    assert TOKEN_FORM.fullmatch(answer["token"])
    assert answer["products"] == ["payroll", "guide"]
    assert datetime.fromisoformat(answer["expires_at"]) == row.expires_at
    assert (answer["host"], answer["username"]) == ("https://keeper.example.org", "ci")


def test_job_token_opens_what_it_was_asked_for(
    ask: Callable[..., Any], send: Send, payroll: Product
) -> None:
    shown = basic("ci", ask("format=json&product=payroll")["token"])
    products = send(LIST_PRODUCTS, HTTP_AUTHORIZATION=shown).json()["products"]
    assert products == ["https://keeper.example.org/products/payroll"]


def test_first_product_leads(send: Send, payroll: Product) -> None:
    text = send(asking("format=env&product=payroll&product=guide")).content.decode()
    assert "export LTD_PRODUCT=payroll\n" in text
    assert "[profile ltd-guide]" in text


def test_access_token_gives_job_tokens_too(ask: Callable[..., Any], send: Send) -> None:
    session = send(TOKEN).json()["token"]
    ask(HTTP_AUTHORIZATION=basic(session, ""))
    assert JobToken.objects.get().expires_at <= AccessToken.objects.get().expires_at


def test_job_token_answers_with_itself(ask: Callable[..., Any], payroll: Product) -> None:
    first = ask("format=json&product=guide&product=payroll")
    shown = basic("ci", first["token"])
    assert ask("format=json&product=payroll", HTTP_AUTHORIZATION=shown)["token"] == first["token"]
    assert JobToken.objects.count() == 1


def test_job_token_needs_not_name_its_products(
    ask: Callable[..., Any], send: Send, payroll: Product
) -> None:
    token = ask("format=json&product=payroll")["token"]
    response = send(asking("format=env"), HTTP_AUTHORIZATION=f"Bearer {token}")
    text = response.content.decode()
    assert f"export LTD_PASSWORD={token}\nexport LTD_PRODUCT=payroll\n" in text


def test_job_token_is_not_prolonged(ask: Callable[..., Any]) -> None:
    first = ask("format=json&product=guide&expires_in=600")
    shown = basic("ci", first["token"])
    assert ask("format=json&expires_in=3600", HTTP_AUTHORIZATION=shown) == first


@pytest.mark.parametrize("seconds", [300, 43_200])
def test_life_can_be_chosen(seconds: int, ask: Callable[..., Any]) -> None:
    ask(f"format=json&product=guide&expires_in={seconds}")
    row = JobToken.objects.get()
    assert row.expires_at - row.created_at == timedelta(seconds=seconds)


def test_life_is_a_setting_unless_chosen(ask: Callable[..., Any], settings: Any) -> None:
    settings.LTD_JOB_TOKEN_SECONDS = 1234
    ask()
    row = JobToken.objects.get()
    assert row.expires_at - row.created_at == timedelta(seconds=1234)


def test_job_token_does_not_outlive_its_key(ask: Callable[..., Any]) -> None:
    end = timezone.now() + timedelta(minutes=10)
    ApiKey.objects.update(expires_at=end)
    ask()
    assert JobToken.objects.get().expires_at == end


WRONG = {
    "no product": ("format=env", "no_product_named"),
    "another format": ("format=csh&product=guide", "invalid_request"),
    "product without a format": ("product=guide", "invalid_request"),
    "life without a format": ("expires_in=600", "invalid_request"),
    "another delivery": ("format=env&product=guide&delivery=post", "invalid_request"),
    "life of words": ("format=env&product=guide&expires_in=long", "invalid_request"),
    "life too short": ("format=env&product=guide&expires_in=299", "life_out_of_range"),
    "life too long": ("format=env&product=guide&expires_in=43201", "life_out_of_range"),
    "life of 5,000 digits": (
        f"format=env&product=guide&expires_in={'9' * 5000}",
        "invalid_request",
    ),
    "empty product": ("format=env&product=", "invalid_request"),
    "empty life": ("format=env&product=guide&expires_in=", "invalid_request"),
    "empty delivery": ("format=env&product=guide&delivery=", "invalid_request"),
    "empty format": ("format=", "invalid_request"),
    "product with an index": (f"product[{'1' * 5000}]=guide&format=env", "invalid_request"),
    "long product": (f"format=env&product={'a' * 64}", "invalid_request"),
    "NUL in the product": ("format=env&product=guide%00", "invalid_request"),
    "too many products": ("format=env" + "&product=guide" * 21, "invalid_request"),
}


def test_wrong_query_is_a_problem(refused: Refused) -> None:
    for query, code in WRONG.values():
        refused(asking(query), 400, code)


def test_unknown_product_is_refused(refused: Refused) -> None:
    refused(asking("format=env&product=guide&product=nothing"), 404, "unknown_product")


@pytest.mark.parametrize("form", FORMS)
def test_product_must_be_granted(
    form: str, refused: Refused, make_product: Callable[..., Product]
) -> None:
    make_product("payroll")
    query = f"format={form}&product=guide&product=payroll"
    refused(asking(query), 403, "product_not_granted")


def test_limited_key_gives_no_more_than_it_opens(refused: Refused, payroll: Product) -> None:
    key = ApiKey.objects.get()
    key.all_products = False
    key.save()
    key.products.add(payroll)
    refused(asking("format=env&product=guide"), 403, "product_not_granted")


def test_job_token_is_for_its_own_products(
    ask: Callable[..., Any], refused: Refused, payroll: Product
) -> None:
    shown = basic("ci", ask("format=json&product=payroll")["token"])
    refused(
        asking("format=env&product=guide"), 403, "product_not_granted", HTTP_AUTHORIZATION=shown
    )


def test_revoked_grant_leaves_a_job_token_without_products(
    ask: Callable[..., Any], refused: Refused, caller: Caller
) -> None:
    shown = basic("ci", ask()["token"])
    caller.client.grants.all().delete()
    refused(asking("format=env"), 400, "no_product_named", HTTP_AUTHORIZATION=shown)


@pytest.fixture
def elsewhere(make_product: Callable[..., Product], caller: Caller) -> Product:
    """A granted product in a store with another region."""
    store = Store.objects.create(name="far", bucket="far", role_arn=ROLE_ARN, region="eu-west-1")
    product = make_product("distant", store=store)
    caller.client.grants.create(product=product)
    return product


@pytest.mark.parametrize("form", ["env", "github"])
def test_one_environment_has_one_store(form: str, refused: Refused, elsewhere: Product) -> None:
    refused(asking(f"format={form}&product=guide&product=distant"), 400, "several_stores")


def test_job_token_itself_may_open_several_stores(
    ask: Callable[..., Any], send: Send, elsewhere: Product
) -> None:
    token = ask("format=json&product=guide&product=distant")["token"]
    response = send(asking("format=env&product=distant"), HTTP_AUTHORIZATION=f"Bearer {token}")
    assert "export AWS_REGION=eu-west-1\n" in response.content.decode()


def test_nobody_is_handed_anything(refused: Refused) -> None:
    query = asking("format=env&product=guide")
    refused(query, 401, "not_authenticated", HTTP_AUTHORIZATION="")


def test_head_makes_no_job_token(send: Send, caller: Caller) -> None:
    path = "/token?format=env&product=guide"
    assert send(Endpoint(method="HEAD", path=path)).status_code == 405
    assert not JobToken.objects.exists()


def test_other_queries_get_a_access_token_as_ever(send: Send, caller: Caller) -> None:
    response = send(asking("v=2"), HTTP_AUTHORIZATION=basic("ci", raw_key(caller)))
    assert response.json()["token"].startswith("ltds_")
