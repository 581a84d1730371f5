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

from builds.services import create_product  # noqa: E402
from credentials.access.clients import create_client  # noqa: E402
from credentials.models import OidcIssuer, TrustedPublisher  # noqa: E402

CONDITIONS = {
    "github": {"repository_id": ["74"], "repository_owner_id": ["65"]},
    "gitlab": {"project_id": ["20"]},
}

product = create_product(
    slug="handbook", store_name=sys.argv[1], title="", doc_repo="", root_domain=""
)
client, _ = create_client(name="docs", product_slugs=["handbook"], may_create_products=False)
for kind, url, path in (argument.split() for argument in sys.argv[2:]):
    issuer = OidcIssuer.objects.create(kind=kind, issuer=url, jwks_url=url + path)
    rule = TrustedPublisher(name=kind, client=client, issuer=issuer, conditions=CONDITIONS[kind])
    rule.full_clean(exclude=["products"])
    rule.save()
    rule.products.set([product])
