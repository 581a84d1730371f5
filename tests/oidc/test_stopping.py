"""What stops a job token that a trusted publisher gave: at its next call, over HTTP."""

from collections.abc import Callable

import pytest
from rest_framework.test import APIClient

from builds.models import Product
from credentials.models import Client, Grant, JobToken, TrustedPublisher
from tests.conftest import api_for
from tests.fake_sts import FakeSts
from tests.oidc.conftest import Show

pytestmark = [pytest.mark.django_db, pytest.mark.loopback]

Stop = Callable[[TrustedPublisher, Product], object]
STOPS: dict[str, tuple[Stop, int, str]] = {
    "publisher disabled": (
        lambda rule, product: TrustedPublisher.objects.update(is_active=False),
        401,
        "invalid_credentials",
    ),
    "client disabled": (
        lambda rule, product: Client.objects.update(is_active=False),
        401,
        "invalid_credentials",
    ),
    "product taken from the rule": (
        lambda rule, product: rule.products.remove(product),
        403,
        "product_not_granted",
    ),
    "grant taken from the client": (
        lambda rule, product: Grant.objects.all().delete(),
        403,
        "product_not_granted",
    ),
}


@pytest.fixture
def job(
    show: Show, publisher: TrustedPublisher, signed: Callable[..., str], sts: FakeSts
) -> APIClient:
    """A job that has registered its build."""
    job = api_for(show(signed()).json()["token"])
    assert job.post("/products/guide/builds/", {"git_refs": ["main"]}).status_code == 201
    return job


@pytest.mark.parametrize(("stop", "status", "code"), STOPS.values(), ids=STOPS)
def test_job_gets_no_further_credentials(
    stop: Stop,
    status: int,
    code: str,
    job: APIClient,
    publisher: TrustedPublisher,
    product: Product,
    sts: FakeSts,
) -> None:
    build = JobToken.objects.get().grants.get().current_build
    for _ in range(2):  # the second may come from memory
        assert job.get(f"/builds/{build.pk}/credentials").status_code == 200
    stop(publisher, product)
    asked = len(sts.requests)
    for method, path, body in (
        ("post", f"/builds/{build.pk}/credentials", {}),
        ("get", f"/builds/{build.pk}/credentials", None),
        ("post", "/products/guide/builds/", {"git_refs": ["main"]}),
        ("patch", f"/builds/{build.pk}", {"uploaded": True}),
    ):
        answer = getattr(job, method)(path, body)
        assert (answer.status_code, answer.json()["code"]) == (status, code), path
    assert job.get("/credentials?product=guide").status_code in {401, 404}
    assert len(sts.requests) == asked


def test_job_ends_its_token_itself(job: APIClient) -> None:
    assert job.delete("/token").status_code == 204
    assert job.get("/products/").status_code == 401
