"""Clients, their grants and API keys, and the tokens issued for keys: for some hours or one job."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.contrib.admin.models import ADDITION, CHANGE, LogEntry
from django.contrib.auth.models import AnonymousUser, User
from django.db import transaction
from django.db.models import Model

from builds.errors import SlugReserved
from builds.models import Product
from builds.services import create_product, find_product
from credentials.access.callers import Caller
from credentials.access.rights import granted_product, usable_products
from credentials.errors import (
    InvalidCredentials,
    KeyIsNotEnded,
    LifeOutOfRange,
    MayNotCreateProducts,
    NoProductNamed,
    ProductNotGranted,
    SeveralStores,
)
from credentials.job_environment.variables import Endpoint, Step, StepDelivery
from credentials.models import (
    AccessToken,
    ApiKey,
    CiJob,
    Client,
    Grant,
    JobProduct,
    JobToken,
    TrustedPublisher,
)
from credentials.models.tokens import IDENTITY_LENGTH
from credentials.models.validators import validate_networks
from credentials.rules.secret import Secret
from credentials.rules.tokens import TokenKind, new_token

# Checks of isolation use products of this name; a client that made one could mislead them.
CANARY_PREFIX = "isolation-check-"


def create_client(
    *, name: str, product_slugs: list[str], may_create_products: bool
) -> tuple[Client, bool]:
    """The client of a name, made if missing (True), granted the products. Raises UnknownProduct.

    Rights are only added: an existing client loses nothing. Raises ValidationError for a name
    that is not legal.
    """
    with transaction.atomic():
        Client(name=name).clean_fields()
        client, made = Client.objects.get_or_create(name=name)
        if may_create_products and not client.may_create_products:
            client.may_create_products = True
            client.save(update_fields=["may_create_products"])
        for slug in product_slugs:
            Grant.objects.get_or_create(client=client, product=find_product(slug=slug))
        return client, made


def create_granted_product(*, caller: Caller, slug: str, store_name: str, **texts: str) -> Product:
    """A new product, granted to the client that made it. `texts` as `create_product` takes them.

    Raises MayNotCreateProducts, SlugReserved, UnknownStore, SlugTaken.
    """
    if not caller.may_create_products:
        raise MayNotCreateProducts
    if slug.startswith(CANARY_PREFIX):
        raise SlugReserved
    with transaction.atomic():
        product = create_product(slug=slug, store_name=store_name, **texts)
        Grant.objects.create(client=caller.client, product=product)
        return product


# API keys: making and revoking them is written to the admin log here, so that the admin and the
# commands cannot differ in it.

COMMAND_LINE_USER = "command-line"

# What Django calls `request.user`; the admin accepts nobody who is not a User.
Actor = User | AnonymousUser


def make_api_key(
    *,
    client: Client,
    actor: Actor,
    label: str = "",
    expires_at: datetime | None = None,
    products: Collection[Product] | None = None,
    networks: Sequence[str] = (),
) -> tuple[ApiKey, Secret]:
    """A new key of a client, and its text, which cannot be had again.

    It opens the client's products, or of those only `products`; it is taken from everywhere, or
    from `networks` (CIDR) only. Raises ProductNotGranted, ValidationError for what is no network.
    """
    validate_networks(list(networks))
    token = new_token(TokenKind.API_KEY)
    with transaction.atomic():
        _require_grants(client, products or ())
        key = ApiKey.objects.create(
            client=client,
            label=label,
            public_id=token.public_id,
            secret_sha256=token.digest,
            expires_at=expires_at,
            all_products=products is None,
            networks=list(networks),
        )
        key.products.set(products or ())
        log_action(key, actor, ADDITION, f"Made a key for {client.name}.")
    return key, token.text


def _require_grants(client: Client, products: Collection[Product]) -> None:
    """A key for what its client may not have is a mistake: it would open nothing there."""
    if client.grants.filter(product__in=products).count() < len(set(products)):
        raise ProductNotGranted


def revoke_api_key(*, key: ApiKey, actor: Actor, now: datetime, reason: str = "") -> ApiKey:
    """Revoke a key permanently, with the tokens it gave. Revoking it again changes nothing."""
    with transaction.atomic():
        locked = ApiKey.objects.select_for_update().get(pk=key.pk)
        if locked.revoked_at is None:
            locked.revoked_at = now
            locked.save(update_fields=["revoked_at"])
            log_action(
                locked, actor, CHANGE, f"Revoked. Reason: {reason}" if reason else "Revoked."
            )
        return locked


def start_access_token(*, caller: Caller, now: datetime) -> Secret:
    """A new access token, for `LTD_KEY_SESSION_SECONDS`, but never past the end of its API key.

    Expired ones of the same key are removed on the way, so the table follows the traffic. Raises
    InvalidCredentials if the key has ended meanwhile.
    """
    if caller.api_key is None:
        raise TypeError("only an API key gives an access token")
    if caller.has_ended(now):
        raise InvalidCredentials
    token = new_token(TokenKind.ACCESS_TOKEN)
    longest = now + timedelta(seconds=settings.LTD_KEY_SESSION_SECONDS)
    with transaction.atomic():
        caller.api_key.sessions.filter(expires_at__lte=now).delete()
        AccessToken.objects.create(
            api_key=caller.api_key,
            public_id=token.public_id,
            secret_sha256=token.digest,
            created_at=now,
            expires_at=min(longest, caller.expires_at or longest),
        )
    return token.text


def command_line_user() -> User:
    """The user that commands act as in the admin log. It cannot log in."""
    user, made = User.objects.get_or_create(
        username=COMMAND_LINE_USER, defaults={"is_active": False}
    )
    if made:
        user.set_unusable_password()
        user.save(update_fields=["password"])
    return user


def log_action(row: Model, actor: Actor, flag: int, message: str) -> None:
    """Write what was done to a row, and by whom, into the admin's log."""
    LogEntry.objects.log_actions(int(actor.pk or 0), [row], flag, message, single_object=True)


LONGEST_SECONDS = 12 * 3600
SHORTEST_SECONDS = 300


@dataclass(frozen=True, kw_only=True)
class MintedToken:
    """A job token, its text, and the products that it opens, the leading one first."""

    row: JobToken
    text: Secret
    products: Sequence[Product]


def start_job_token(
    *,
    client: Client,
    products: Sequence[Product],
    now: datetime,
    api_key: ApiKey | None = None,
    publisher: TrustedPublisher | None = None,
    identity: str = "",
    ci_job: CiJob | None = None,
    life_seconds: int | None = None,
    requested_with: AccessToken | None = None,
) -> tuple[JobToken, Secret]:
    """A new job token for some of a client's products, and its text, which cannot be had again.

    `ci_job`, not saved yet, is saved with it. It comes from either `api_key` or `publisher`, and
    ends with that and with the access token that asked for it, at the latest after `life_seconds`
    (300 to 43,200; None: `LTD_JOB_TOKEN_SECONDS`). The caller checks that the products are granted.
    Raises LifeOutOfRange, and InvalidCredentials if what it comes from has ended meanwhile.
    """
    expires_at = _end_of_life(life_seconds, now, api_key, requested_with)
    token = new_token(TokenKind.JOB_TOKEN)
    with transaction.atomic():
        _hold(requested_with)
        row = JobToken.objects.create(
            client=client,
            api_key=api_key,
            publisher=publisher,
            requested_with=requested_with.public_id if requested_with else "",
            identity=identity[:IDENTITY_LENGTH],
            public_id=token.public_id,
            secret_sha256=token.digest,
            created_at=now,
            expires_at=expires_at,
        )
        JobProduct.objects.bulk_create(JobProduct(job_token=row, product=each) for each in products)
        if ci_job:
            ci_job.job_token = row
            ci_job.save(force_insert=True)
    return row, token.text


def _end_of_life(
    life_seconds: int | None, now: datetime, *given_with: ApiKey | AccessToken | None
) -> datetime:
    """When a job token expires: with the first of what it was given with, at the latest."""
    require_legal_life(life_seconds)
    seconds = settings.LTD_JOB_TOKEN_SECONDS if life_seconds is None else life_seconds
    ends = [each.expires_at for each in given_with if each and each.expires_at]
    expires_at = min([now + timedelta(seconds=seconds), *ends])
    if expires_at <= now:
        raise InvalidCredentials
    return expires_at


def _hold(token: AccessToken | None) -> None:
    """A token that was given is still there, and stays until the transaction ends."""
    held = AccessToken.objects.select_for_update(no_key=True)
    if token and held.filter(pk=token.pk).first() is None:
        raise InvalidCredentials


def require_legal_life(life_seconds: int | None) -> None:
    """Refuse a life that no job token can have; None is the usual one. Raises LifeOutOfRange."""
    if life_seconds is not None and not SHORTEST_SECONDS <= life_seconds <= LONGEST_SECONDS:
        raise LifeOutOfRange


def revoke_job_token(*, job_token: JobToken, now: datetime) -> bool:
    """Revoke a job token permanently, from its next call. False: it was revoked before."""
    with transaction.atomic():
        locked = JobToken.objects.select_for_update(no_key=True).get(pk=job_token.pk)
        if locked.ended_at is not None:
            return False
        locked.ended_at = now
        locked.save(update_fields=["ended_at"])
        return True


def revoke_access_token(*, access_token: AccessToken, now: datetime) -> None:
    """Remove an access token, and end the job tokens that it asked for."""
    with transaction.atomic():
        access_token.delete()
        given = JobToken.objects.filter(
            api_key=access_token.api_key_id, requested_with=access_token.public_id, ended_at=None
        )
        given.update(ended_at=now)


def revoke_token(*, caller: Caller, now: datetime) -> None:
    """Revoke the token that a caller presented. Raises KeyIsNotEnded for an API key."""
    if caller.job_token:
        revoke_job_token(job_token=caller.job_token, now=now)
    elif caller.access_token:
        revoke_access_token(access_token=caller.access_token, now=now)
    else:
        raise KeyIsNotEnded


def require_one_endpoint(products: Sequence[Product]) -> Endpoint:
    """Where the products' store is: a step's environment holds one region and one endpoint.

    Raises SeveralStores when they lie in stores that differ in these.
    """
    endpoints = {
        Endpoint(
            region=store.region,
            endpoint_url=store.client_endpoint_url,
            addressing=store.addressing,
        )
        for store in (product.store for product in products)
    }
    if len(endpoints) > 1:
        raise SeveralStores
    return endpoints.pop()


def get_or_create_job_token(
    *,
    caller: Caller,
    presented_token: Secret,
    product_slugs: Sequence[str],
    now: datetime,
    life_seconds: int | None = None,
    for_a_step: bool = False,
) -> MintedToken:
    """A new job token of an API key or access token, which it never outlives.

    A job token that was presented is returned as it is; without slugs, for all its products.
    Raises NoProductNamed, UnknownProduct, ProductNotGranted, LifeOutOfRange; and for a step, what
    `require_one_endpoint` raises. Nothing is made then.
    """
    products = _products(caller, product_slugs)
    if for_a_step:
        require_one_endpoint(products)
    if caller.job_token:
        return MintedToken(row=caller.job_token, text=presented_token, products=products)
    row, text = start_job_token(
        client=caller.client,
        api_key=caller.api_key,
        products=products,
        now=now,
        life_seconds=life_seconds,
        requested_with=caller.access_token,
    )
    return MintedToken(row=row, text=text, products=products)


def step_of(minted: MintedToken, *, host: str, delivery: StepDelivery) -> Step:
    """What the lines for one CI step are made of. `host` is this service's public address.

    Raises as `require_one_endpoint` does.
    """
    return Step(
        host=host,
        client_name=minted.row.client.name,
        token=minted.text,
        product_slugs=tuple(product.slug for product in minted.products),
        store=require_one_endpoint(minted.products),
        delivery=delivery,
    )


def _products(caller: Caller, slugs: Sequence[str]) -> list[Product]:
    """The products that were named; for a job token that names none, all that it opens."""
    products = [granted_product(caller=caller, slug=slug) for slug in dict.fromkeys(slugs)]
    if caller.job_token and not slugs:
        products = list(usable_products(caller).select_related("store").order_by("slug"))
    if not products:
        raise NoProductNamed
    return products
