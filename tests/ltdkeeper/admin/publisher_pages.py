"""What tests of the admin type in, and where."""

from typing import Any

from django.test import Client as Browser
from django.urls import reverse

from builds.models import Product
from credentials.models import Client, OidcIssuer

RULES = "admin:credentials_trustedpublisher"
ISSUERS = "admin:credentials_oidcissuer"
TOKENS = "admin:credentials_jobtoken"
USUAL = ["push", "workflow_dispatch", "schedule", "release"]
NUMBERS = {"repository_id": "74", "repository_owner_id": "65"}


def page(browser: Browser, name: str, *args: Any, query: str = "") -> str:
    response = browser.get(reverse(name, args=args) + query, follow=True)
    assert response.status_code == 200
    return response.content.decode()


def add_issuer(browser: Browser, kind: str, **fields: Any) -> Any:
    data = {"kind": kind, "issuer": "", "jwks_url": "", "identifying_claims": "[]", **fields}
    return browser.post(reverse(f"{ISSUERS}_add"), data)


def add_rule(
    browser: Browser, issuer: OidcIssuer, client: Client, *products: Product, **claims: Any
) -> Any:
    data = {
        "name": "docs",
        "client": client.pk,
        "products": [product.pk for product in products],
        "is_active": "on",
        **claims,
    }
    return browser.post(reverse(f"{RULES}_add") + f"?issuer={issuer.pk}", data, follow=True)
