"""One identity token shown a hundred times at once to the real service: one job token."""

import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest
import requests
import trustme

from demo.processes import ROOT
from tests.faults.service import Service
from tests.oidc.identities import github
from tests.oidc.issuer import JWKS_PATH, Issuer, write_authority

pytestmark = [pytest.mark.loopback, pytest.mark.slow, pytest.mark.sqlite]

AT_ONCE = 100
# What an operator enters in the admin, for issuer and keys that the arguments name.
TRUST = """
import sys, django
django.setup()
from builds.models import Product
from credentials.access.clients import create_client
from credentials.models import Client, OidcIssuer, TrustedPublisher
product = Product.objects.get(slug="guide")
client, _ = create_client(name="docs", product_slugs=["guide"], may_create_products=False)
issuer = OidcIssuer.objects.create(kind="github", issuer=sys.argv[1], jwks_url=sys.argv[2])
rule = TrustedPublisher(name="docs", client=client, issuer=issuer,
                        conditions={"repository_id": ["74"], "repository_owner_id": ["65"]})
rule.full_clean(exclude=["products"])
rule.save()
rule.products.set([product])
"""


@pytest.fixture
def service(tmp_path: Path, authority: trustme.CA, issuer: Issuer) -> Iterator[Service]:
    """The service under its production server, which trusts the issuer."""
    service = Service(tmp_path, "http://127.0.0.1:9")
    service.env |= {
        "LTD_OIDC_AUDIENCE": "https://keeper.example.org",
        "SSL_CERT_FILE": str(write_authority(authority, tmp_path)),
        "NO_PROXY": "127.0.0.1",
    }
    service.set_up()
    arguments = [issuer.url, issuer.url + JWKS_PATH]
    subprocess.run([sys.executable, "-c", TRUST, *arguments], cwd=ROOT, env=service.env, check=True)
    with service.running():
        yield service


def shown_at_once(service: Service, tokens: list[str]) -> Counter[tuple[int, str]]:
    """Status and code of each answer, to requests that were all ready before the first was sent."""
    ready = Barrier(len(tokens))

    def show(token: str) -> tuple[int, str]:
        with requests.Session() as http:
            http.trust_env = False
            ready.wait(timeout=120)
            answer = http.post(service.url + "/oidc/token", json={"token": token}, timeout=120)
        return answer.status_code, answer.json().get("code", "")

    with ThreadPoolExecutor(len(tokens)) as pool:
        return Counter(pool.map(show, tokens))


def minted(service: Service) -> int:
    return int(service.read("SELECT count(*) FROM credentials_jobtoken")[0][0])


def test_one_token_shown_a_hundred_times_at_once_is_minted_once(
    service: Service, issuer: Issuer
) -> None:
    token = issuer.sign(github(issuer.url))
    answers = shown_at_once(service, [token] * AT_ONCE)
    assert answers[(200, "")] == minted(service) == 1, answers
    assert set(answers) <= {
        (200, ""),
        (422, "reused_token"),
        (429, "too_many_failures"),
        (503, "database_unavailable"),
    }
    assert issuer.requests == [JWKS_PATH]
    other = shown_at_once(service, [issuer.sign(github(issuer.url)) for _ in range(10)])
    assert other == {(200, ""): 10}
    log = service.log.read_text()
    assert [part for part in token.split(".") if part in log] == []
