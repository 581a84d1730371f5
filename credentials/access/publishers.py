"""An identity token for a job token: verify, find the rule, claim, and only then mint."""

from collections.abc import Sequence
from datetime import datetime

import structlog

from builds.errors import DomainError
from builds.models import Product
from credentials.access.clients import (
    MintedToken,
    require_legal_life,
    require_one_place,
    start_job_token,
)
from credentials.access.identity_tokens import (
    VerifiedIdentity,
    claim_identity,
    verify_identity_token,
)
from credentials.errors import NoMatchingPublisher, ProductsNotOpened, UnidentifiedProject
from credentials.models import TrustedPublisher
from credentials.rules.publishers import IssuerKind, claims_of, describe, judge, value_of
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
    """A job token for the job that an identity token speaks of.

    Of the rules that let it in, the oldest that opens all the products asked for; with None asked
    for, the oldest that opens any, and all that it opens. Raises what `verify_identity_token` and
    `claim_identity` raise, LifeOutOfRange, NoMatchingPublisher, ProductsNotOpened; and for one
    step's environment SeveralStores. A token that is refused for another reason than reuse is not
    used up.
    """
    require_legal_life(life_seconds)
    try:
        identity = verify_identity_token(raw_token=raw_token, now=now)
        publisher, products = _choose(_publishers_for(identity), product_slugs)
        if for_a_step:
            require_one_place(products)
        claim_identity(identity=identity, now=now)
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
    row, text = start_job_token(
        client=publisher.client,
        products=products,
        now=now,
        publisher=publisher,
        identity=describe(publisher.kind, identity.signed_claims),
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


def _publishers_for(identity: VerifiedIdentity) -> list[TrustedPublisher]:
    """The active rules of active clients that let an identity in, oldest first.

    Raises NoMatchingPublisher, which names claims only to who is identified by a rule: those that
    differ from the rule that comes closest. Raises UnidentifiedProject.
    """
    identifying = claims_of(IssuerKind(identity.issuer.kind), identity.issuer.identifying_claims)
    claims = identity.signed_claims
    if lacking := [each for each in identifying.identifying if value_of(claims, each) is None]:
        raise UnidentifiedProject(lacking)
    rules = TrustedPublisher.objects.select_related("client", "issuer").order_by("pk")
    letting_in, nearly = [], []
    active = {"is_active": True, "issuer__is_active": True, "client__is_active": True}
    for rule in rules.filter(issuer=identity.issuer, **active):
        verdict = judge(
            kind=rule.kind,
            conditions=rule.conditions,
            signed_claims=identity.signed_claims,
            identifying=rule.issuer.identifying_claims,
        )
        if not verdict.is_legal:
            log.warning("publisher_not_legal", publisher=rule.pk)
        elif verdict.lets_in:
            letting_in.append(rule)
        elif verdict.is_identified:
            nearly.append(verdict.differing)
            log.info("publisher_differs", publisher=rule.pk, claims=verdict.differing)
    if not letting_in:
        raise NoMatchingPublisher(min(nearly, key=len, default=()))
    return letting_in


def _choose(
    publishers: Sequence[TrustedPublisher], asked_slugs: Sequence[str] | None
) -> tuple[TrustedPublisher, list[Product]]:
    """The first rule that opens what is asked for, and the products in the order asked.

    Raises ProductsNotOpened.
    """
    for publisher in publishers:
        granted = publisher.products.select_related("store").order_by("slug")
        opened = {each.slug: each for each in granted.filter(grants__client=publisher.client)}
        slugs = opened if asked_slugs is None else dict.fromkeys(asked_slugs)
        if slugs and all(slug in opened for slug in slugs):
            return publisher, [opened[slug] for slug in slugs]
    raise ProductsNotOpened
