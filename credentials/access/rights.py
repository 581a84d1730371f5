"""What a caller may use, as conditions of a query: nothing is remembered between calls.

A product is open to a caller when the client is granted it, and the key, the trusted publisher
and the job token that were shown each open it as well.
"""

from django.db.models import Exists, OuterRef, Q, QuerySet

from builds.models import Product
from credentials.access.callers import Caller
from credentials.access.models import ApiKey, Grant, JobGrant, TrustedPublisher


def may_use(caller: Caller, product: OuterRef) -> Q:
    """Whether the product that a query refers to is open to the caller, at this moment."""
    opened = Q(Exists(Grant.objects.filter(client=caller.client, product=product)))
    if caller.api_key and not caller.api_key.all_products:
        named = ApiKey.products.through.objects.filter(apikey=caller.api_key)
        opened &= Q(Exists(named.filter(product=product)))
    if caller.publisher:
        named_by_rule = TrustedPublisher.products.through.objects.filter(
            trustedpublisher=caller.publisher
        )
        opened &= Q(Exists(named_by_rule.filter(product=product)))
    if caller.job_token:
        asked_for = JobGrant.objects.filter(job_token=caller.job_token)
        opened &= Q(Exists(asked_for.filter(product=product)))
    return opened


def usable_products(caller: Caller) -> QuerySet[Product]:
    """The products that are open to the caller."""
    return Product.objects.filter(may_use(caller, OuterRef("pk")))
