"""The service on an enforcing store, and an issuer whose identity tokens open a product."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import trustme

from demo.service import Service
from tests.oidc.identities import github, gitlab
from tests.oidc.issuer import Issuer, write_authority
from tests.store.stage import Account, prepared_account, service_for
from tests.store.started import store_under_test

# An operator's commands, for the projects of `tests.oidc.identities`.
PUBLISHERS = [
    "--github octo-org/octo-repo --id 74 --id 65 --product handbook",
    "--github octo-org/octo-repo --id 74 --id 65 --product handbook-previews"
    " --event pull_request --name previews",
    "--gitlab my-group/my-project --id 20 --product handbook",
    "--gitlab my-group/my-project --id 20 --product manual-previews"
    " --event merge_request_event --name gitlab-previews",
]

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
    keys = {"github": "/.well-known/jwks", "gitlab": "/oauth/discovery/keys"}
    issuers = {kind: Issuer(authority, path) for kind, path in keys.items()}
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
    """The service, in which one command for each publisher was run."""
    folder = tmp_path_factory.mktemp("service")
    trusted = str(write_authority(authority, folder))
    extra = {"SSL_CERT_FILE": trusted, "NO_PROXY": "127.0.0.1"}
    with service_for(account, folder, **extra) as service:
        for options in PUBLISHERS:
            kind = options.split()[0].removeprefix("--")
            more = ["--client", "docs", "--issuer", issuers[kind].url]
            service.manage("create_publisher", *options.split(), *more)
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
