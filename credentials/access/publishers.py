"""Exchange an identity token for a job token: verify it, find the rule, consume it, and only then
issue the job token."""

from collections.abc import Sequence
from datetime import datetime

import structlog

from builds.errors import DomainError
from builds.models import Product
from credentials.access.clients import (
    MintedToken,
    require_legal_life,
    require_one_endpoint,
    start_job_token,
)
from credentials.access.identity_tokens import VerifiedIdentity, use_up, verify_identity_token
from credentials.errors import (
    NoMatchingPublisher,
    ProductsNotOpened,
    ProductsUnclear,
    UnidentifiedProject,
)
from credentials.models import CiJob, TrustedPublisher
from credentials.rules.ci_jobs import describe_job, job_facts
from credentials.rules.publishers import IssuerKind, claims_of, match_claims, value_of
from credentials.rules.secret import Secret

log = structlog.get_logger(__name__)


def mint_job_token(
    *,
    raw_token: Secret,
    product_slugs: Sequence[str] | None,
    life_seconds: int | None,
    now: datetime,
    for_a_step: bool = False,
) -> MintedToken:
    """A job token for the job that an identity token names.

    Of the rules that accept it, the oldest that opens all requested products; with None requested,
    all that the oldest opens, if no other opens more: a job never gets a product by chance.
    Raises what `verify_identity_token` and `use_up` raise, LifeOutOfRange, NoMatchingPublisher,
    ProductsNotOpened, ProductsUnclear; and for one step's environment SeveralStores. A token that
    is refused for another reason than reuse is not used up.
    """
    require_legal_life(life_seconds)
    try:
        identity = verify_identity_token(raw_token=raw_token, now=now)
        publisher, products = _choose(_accepting_publishers(identity), product_slugs)
        if for_a_step:
            require_one_endpoint(products)
        use_up(identity=identity, now=now)
    except DomainError as refusal:
        log.info("identity_token_refused", code=refusal.code, reason=refusal.message)
        raise
    return _mint(identity, publisher, products, life_seconds, now)


def _mint(
    identity: VerifiedIdentity,
    publisher: TrustedPublisher,
    products: Sequence[Product],
    life_seconds: int | None,
    now: datetime,
) -> MintedToken:
    kind, claims = IssuerKind(identity.issuer.kind), identity.signed_claims
    row, text = start_job_token(
        client=publisher.client,
        products=products,
        now=now,
        publisher=publisher,
        identity=describe_job(kind, claims),
        ci_job=CiJob(**job_facts(kind, claims)),
        life_seconds=life_seconds,
    )
    log.info(
        "job_token_minted",
        job_token=row.token_name,
        publisher=publisher.pk,
        client=publisher.client.name,
        products=[product.slug for product in products],
        identity=row.identity,
    )
    return MintedToken(row=row, text=text, products=products)


def _accepting_publishers(identity: VerifiedIdentity) -> list[TrustedPublisher]:
    """The active rules of active clients that accept an identity, oldest first.

    Raises NoMatchingPublisher, which names claims only to who is identified by a rule: those that
    differ from the rule that comes closest. Raises UnidentifiedProject.
    """
    kind, identifying = IssuerKind(identity.issuer.kind), identity.issuer.identifying_claims
    required = claims_of(kind, identifying).identifying
    if lacking := [each for each in required if value_of(identity.signed_claims, each) is None]:
        raise UnidentifiedProject(lacking)
    accepting, nearly = [], []
    active = {"is_active": True, "issuer__is_active": True, "client__is_active": True}
    rules = TrustedPublisher.objects.filter(issuer=identity.issuer, **active)
    for rule in rules.select_related("client").order_by("pk"):
        match = match_claims(
            kind=kind,
            conditions=rule.conditions,
            signed_claims=identity.signed_claims,
            identifying=identifying,
        )
        if not match.is_legal:
            log.warning("publisher_not_legal", publisher=rule.pk)
        elif match.is_accepted:
            accepting.append(rule)
        elif match.is_identified:
            nearly.append(match.differing)
            log.info("publisher_differs", publisher=rule.pk, claims=match.differing)
    if not accepting:
        raise NoMatchingPublisher(min(nearly, key=len, default=()))
    return accepting


def _choose(
    publishers: Sequence[TrustedPublisher], asked_slugs: Sequence[str] | None
) -> tuple[TrustedPublisher, list[Product]]:
    """The first rule that opens what is asked for, and the products in the order asked.

    With None asked for, no other rule may open more. Raises ProductsNotOpened, ProductsUnclear.
    """
    choices = []
    for publisher in publishers:
        granted = publisher.products.select_related("store").order_by("slug")
        opened = {each.slug: each for each in granted.filter(grants__client=publisher.client)}
        slugs = opened if asked_slugs is None else dict.fromkeys(asked_slugs)
        if slugs and all(slug in opened for slug in slugs):
            choices.append((publisher, {slug: opened[slug] for slug in slugs}))
    if not choices:
        raise ProductsNotOpened(asked_slugs or ())
    publisher, products = choices[0]
    if any(more.keys() - products.keys() for _, more in choices):
        raise ProductsUnclear
    return publisher, list(products.values())
