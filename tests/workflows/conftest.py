"""The service on an enforcing store, and an issuer whose identity tokens open a product."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from demo.service import Service
from tests.oidc.identities import github, gitlab
from tests.oidc.issuer import JWKS_PATH, Issuer, write_authority
from tests.store.stage import Account, prepared_account, service_for
from tests.store.started import store_under_test

TRUST = Path(__file__).with_name("trusting.py")

IssuerOf = Callable[[str], Issuer]


@pytest.fixture(scope="module")
def account() -> Iterator[Account]:
    with store_under_test() as store, prepared_account(store) as account:
        yield account


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def issuers(authority: trustme.CA) -> Iterator[dict[str, Issuer]]:
    """One as GitHub's, one as GitLab's."""
    issuers = {kind: Issuer(authority) for kind in ("github", "gitlab")}
    yield issuers
    for issuer in issuers.values():
        issuer.stop()


@pytest.fixture(scope="module")
def service(
    account: Account,
    authority: trustme.CA,
    issuers: dict[str, Issuer],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Service]:
    """The service, which trusts both issuers with the product `handbook`."""
    folder = tmp_path_factory.mktemp("service")
    trusted = str(write_authority(authority, folder))
    extra = {"SSL_CERT_FILE": trusted, "NO_PROXY": "127.0.0.1"}
    with service_for(account, folder, **extra) as service:
        addresses = [f"{kind} {issuer.url} {JWKS_PATH}" for kind, issuer in issuers.items()]
        service._run([sys.executable, str(TRUST), account.row.name, *addresses])
        service.wait_until_it_answers()
        yield service


@pytest.fixture(scope="module")
def sign(issuers: dict[str, Issuer]) -> Callable[..., str]:
    """An identity token of a kind's issuer, for an audience."""
    claims = {"github": github, "gitlab": gitlab}

    def make(kind: str, audience: str, **changes: Any) -> str:
        issuer = issuers[kind]
        return issuer.sign(claims[kind](issuer.url, aud=audience, **changes))

    return make
