"""Making and withdrawing API keys, and the key sessions they give.

Both are written to the admin log here, so that the admin and the commands cannot differ in it.
"""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from django.conf import settings
from django.contrib.admin.models import ADDITION, CHANGE, LogEntry
from django.contrib.auth.models import AnonymousUser, User
from django.db import transaction

from builds.models import Product
from credentials.access.callers import Caller
from credentials.access.models import ApiKey, Client, KeySession
from credentials.access.tokens import TokenKind, new_token
from credentials.access.validators import validate_networks
from credentials.errors import ProductNotGranted
from credentials.secret import Secret

COMMAND_LINE_USER = "command-line"

# What Django calls `request.user`; the admin lets nobody in who is not a User.
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
        _log(key, actor, ADDITION, f"Made a key for {client.name}.")
    return key, token.text


def _require_grants(client: Client, products: Collection[Product]) -> None:
    """A key for what its client may not have is a mistake: it would open nothing there."""
    if client.grants.filter(product__in=products).count() < len(set(products)):
        raise ProductNotGranted


def withdraw_api_key(*, key: ApiKey, actor: Actor, now: datetime) -> ApiKey:
    """End a key for good, with the tokens it gave. Withdrawing again changes nothing."""
    with transaction.atomic():
        locked = ApiKey.objects.select_for_update().get(pk=key.pk)
        if locked.withdrawn_at is None:
            locked.withdrawn_at = now
            locked.save(update_fields=["withdrawn_at"])
            _log(locked, actor, CHANGE, "Withdrawn.")
        return locked


def start_key_session(*, caller: Caller, now: datetime) -> Secret:
    """The token of a new key session, which ends after `LTD_KEY_SESSION_SECONDS` at the latest.

    It never outlives the key or the key session that asked for it: sessions are not prolonged.
    Expired sessions of the same key are removed on the way, so the table follows the traffic.
    """
    if caller.api_key is None:
        raise TypeError("only an API key gives a key session")
    token = new_token(TokenKind.KEY_SESSION)
    longest = now + timedelta(seconds=settings.LTD_KEY_SESSION_SECONDS)
    with transaction.atomic():
        caller.api_key.sessions.filter(expires_at__lte=now).delete()
        KeySession.objects.create(
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


def _log(key: ApiKey, actor: Actor, flag: int, message: str) -> None:
    LogEntry.objects.log_actions(
        int(actor.pk or 0), [key], flag, change_message=message, single_object=True
    )
