"""What an operator does in the admin: a product, a client, and rules that trust two issuers.

Run in a process of its own: STORE, then "KIND ISSUER PATH" for each.
"""

import os
import sys
from pathlib import Path

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "ltdkeeper.settings")
sys.path.insert(0, str(Path(__file__).parents[2]))
django.setup()

from builds.models import Product  # noqa: E402
from builds.services import create_product  # noqa: E402
from credentials.access.clients import create_client  # noqa: E402
from credentials.models import OidcIssuer, TrustedPublisher  # noqa: E402

CONDITIONS = {
    "github": {"repository_id": ["74"], "repository_owner_id": ["65"]},
    "gitlab": {"project_id": ["20"]},
}
SLUGS = ["handbook", "handbook-previews"]

products = [
    create_product(slug=slug, store_name=sys.argv[1], title="", doc_repo="", root_domain="")
    for slug in SLUGS
]
client, _ = create_client(name="docs", product_slugs=SLUGS, may_create_products=False)


def trust(issuer: OidcIssuer, name: str, product: Product, **more: list[str]) -> None:
    """A rule that opens one product."""
    conditions = CONDITIONS[issuer.kind] | more
    rule = TrustedPublisher(name=name, client=client, issuer=issuer, conditions=conditions)
    rule.full_clean(exclude=["products"])
    rule.save()
    rule.products.set([product])


for kind, url, path in (argument.split() for argument in sys.argv[2:]):
    issuer = OidcIssuer.objects.create(kind=kind, issuer=url, jwks_url=url + path)
    trust(issuer, kind, products[0])
    if kind == "github":
        trust(issuer, "previews", products[1], event_name=["pull_request"])
