"""An issuer on loopback, a rule that trusts it, and ways to show a token to the service."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme
from rest_framework.test import APIClient

from builds.models import Product
from credentials.access import identity_tokens as jwks
from credentials.access.callers import Caller
from credentials.models import OidcIssuer, TrustedPublisher
from tests.oidc.identities import github, gitlab
from tests.oidc.issuer import JWKS_PATH, Issuer, TlsServer, write_authority

Show = Callable[..., Any]
Trust = Callable[..., TrustedPublisher]


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="session")
def running_issuer(authority: trustme.CA) -> Iterator[Issuer]:
    issuer = Issuer(authority)
    yield issuer
    issuer.stop()


@pytest.fixture(scope="session")
def running_decoy(authority: trustme.CA) -> Iterator[TlsServer]:
    decoy = TlsServer(authority)
    yield decoy
    decoy.stop()


@pytest.fixture(autouse=True)
def _trusted_authority(
    authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The service's process trusts the private authority, and knows no keys yet."""
    monkeypatch.setenv("SSL_CERT_FILE", str(write_authority(authority, tmp_path)))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    forget_keys()


def forget_keys() -> None:
    """As if no issuer had been asked yet."""
    jwks._kept.cache_clear()
    jwks.cooldown.clear()


@pytest.fixture
def issuer(running_issuer: Issuer) -> Iterator[Issuer]:
    """The issuer, well and with its first key before and after each test."""
    keys, kid = dict(running_issuer.keys), running_issuer.kid
    running_issuer.behave()
    running_issuer.requests.clear()
    yield running_issuer
    running_issuer.keys, running_issuer.kid = keys, kid
    running_issuer.behave()


@pytest.fixture
def decoy(running_decoy: TlsServer) -> TlsServer:
    """A server that nobody configured; its certificate is as good as the issuer's."""
    running_decoy.requests.clear()
    return running_decoy


@pytest.fixture
def issuer_row(db: None, issuer: Issuer) -> OidcIssuer:
    return OidcIssuer.objects.create(
        kind="github", issuer=issuer.url, jwks_url=issuer.url + JWKS_PATH
    )


@pytest.fixture
def trust(issuer_row: OidcIssuer, caller: Caller, product: Product) -> Trust:
    """A rule for the product; arguments other than `products` and `client` are conditions."""

    def make(*products: Product, client: Any = None, **conditions: list[str]) -> TrustedPublisher:
        rule = TrustedPublisher(
            name="docs",
            client=client or caller.client,
            issuer=issuer_row,
            conditions={
                **IDENTIFYING[issuer_row.kind],
                **{claim: values for claim, values in conditions.items() if values},
            },
        )
        rule.full_clean(exclude=["products"])
        rule.save()
        rule.products.set(products or [product])
        return rule

    return make


def switch_off(rule: TrustedPublisher) -> None:
    """Before the next rule is tried: tokens on record refer to this one."""
    rule.is_active = False
    rule.save(update_fields=["is_active"])


IDENTIFYING = {
    "github": {"repository_id": ["74"], "repository_owner_id": ["65"]},
    "gitlab": {"project_id": ["20"]},
}


@pytest.fixture
def publisher(trust: Trust) -> TrustedPublisher:
    return trust()


@pytest.fixture
def show() -> Show:
    """`POST /oidc/token` with a token and other members."""
    client = APIClient()

    def post(token: Any, **members: Any) -> Any:
        return client.post("/oidc/token", {"token": token, **members})

    return post


@pytest.fixture
def signed(issuer: Issuer, issuer_row: OidcIssuer) -> Callable[..., str]:
    """A token of the issuer's kind, with changed claims."""
    claims_of = github if issuer_row.kind == "github" else gitlab
    return lambda **changes: issuer.sign(claims_of(issuer.url, **changes))
