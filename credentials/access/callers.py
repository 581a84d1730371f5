"""From a presented token to its caller. Nothing is served from memory here: every call reads the
token and its client from the database, so a revocation takes effect at the next call.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

import structlog
from django.db import OperationalError
from django.db.models import Model, Q, QuerySet

from builds.fixed_sql import Columns, fetch, relate
from credentials.errors import InvalidCredentials
from credentials.models import AccessToken, ApiKey, Client, JobToken, TrustedPublisher
from credentials.rules.networks import is_within
from credentials.rules.tokens import PresentedToken, TokenKind, digest, matches, parse_token

# Compared with when there is no such token. Nothing has this digest.
NO_DIGEST = "0" * 64

INTERNAL_TOKEN_NAME = "inside"  # noqa: S105 - a name
USE_IS_NOTED_EVERY = timedelta(minutes=1)

log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True)
class Caller:
    """An authenticated client and what it showed.

    An API key alone, an access token with the key that gave it, or a job token with the key or
    the trusted publisher that it came from. With none of them the caller is the service itself,
    acting for one of its own clients.
    """

    client: Client
    api_key: ApiKey | None = None
    access_token: AccessToken | None = None
    job_token: JobToken | None = None
    is_authenticated: bool = True
    # What the statement that found the token read of a build besides (`right_to_build`).
    first_look: list[Any] = field(default_factory=list, compare=False, repr=False)

    @property
    def publisher(self) -> TrustedPublisher | None:
        return self.job_token.publisher if self.job_token else None

    @property
    def token_name(self) -> str:
        """What the ledger calls the token that was shown: the key, then what it gave."""
        shown = (self.api_key, self.access_token, self.job_token)
        return "/".join(token.token_name for token in shown if token) or INTERNAL_TOKEN_NAME

    @property
    def expires_at(self) -> datetime | None:
        """When what was shown ends: whichever part of it is first. None: never."""
        shown = (self.api_key, self.access_token, self.job_token)
        ends = [token.expires_at for token in shown if token]
        return min((end for end in ends if end), default=None)

    def has_ended(self, now: datetime) -> bool:
        """Whether what was shown expired, perhaps while its request was under way."""
        return self.expires_at is not None and self.expires_at <= now

    @property
    def may_create_products(self) -> bool:
        """Whether the client may, and what was shown is not limited to some products."""
        is_limited = self.job_token or (self.api_key and not self.api_key.all_products)
        return self.client.may_create_products and not is_limited

    def is_alive(self, now: datetime) -> bool:
        """Whether client, key, publisher and token are all good at a moment."""
        return (
            self.client.is_active
            and (self.api_key is None or self.api_key.is_usable(now))
            and (self.publisher is None or self.publisher.is_active)
            and (self.access_token is None or now < self.access_token.expires_at)
            and (self.job_token is None or self.job_token.is_usable(now))
        )

    def may_come_from(self, address: str) -> bool:
        """Whether the key, if there is one, is taken from an address."""
        return self.api_key is None or is_within(address, self.api_key.networks)


def authenticate(
    *,
    raw_token: str,
    name: str | None,
    now: datetime,
    address: str = "",
    finds: "Mapping[TokenKind, Find] | None" = None,
    **sought: int,
) -> Caller:
    """The caller of a token. `name`, where one was sent beside it, must be the client's.
    A key that is limited to networks is taken only with an `address` within them.
    `finds` are statements that read more than FIND's, with `sought` as their parameters.

    Raises InvalidCredentials, without saying which part was wrong.
    """
    presented = parse_token(raw_token)
    if presented is None:
        raise InvalidCredentials
    caller = _find(presented, finds or FIND, sought)
    if (
        caller is None
        or name not in {None, caller.client.name}
        or not caller.is_alive(now)
        or not caller.may_come_from(address)
    ):
        raise InvalidCredentials
    if caller.api_key:
        note_use(caller.api_key, "last_used_at", now)
    return caller


def note_use(row: Model, field_name: str, now: datetime) -> None:
    """Write down when a row was last used: at most once a minute.

    Two processes may come at once: the row's own time decides which of them writes.
    """
    before, latest = getattr(row, field_name), now - USE_IS_NOTED_EVERY
    if before and before > latest:
        return
    longer_ago = Q((field_name, None)) | Q((f"{field_name}__lte", latest))
    try:
        QuerySet(type(row)).filter(longer_ago, pk=row.pk).update(**{field_name: now})
    except OperationalError as err:
        # A busy database must not refuse a caller that may have what it asks for.
        log.warning("use_not_noted", row=row.pk, field=field_name, error=str(err))


def _find(
    presented: PresentedToken, finds: "Mapping[TokenKind, Find]", sought: Mapping[str, int]
) -> Caller | None:
    """The caller whose token it is.

    The row is looked up by the hash of the secret, not by the id. So an id that does not exist
    and a wrong secret are the same to the database, which finds nothing, and to everything after
    it. Whether a row that was found is the right one is decided here, in constant time.
    """
    find = finds[presented.kind]
    digest_of_secret = digest(presented.unverified_secret)
    row = fetch(find.text, {"digest": digest_of_secret, **sought}, *find.parts)
    token = row[0] if row else None
    is_right = matches(presented, token.secret_sha256 if token else NO_DIGEST)
    if row is None or token is None or not is_right or token.public_id != presented.public_id:
        return None
    return find.as_caller(*row)


CLIENT, KEY = Columns(Client, "c"), Columns(ApiKey, "k")
SESSION, JOB, PUBLISHER = (
    Columns(AccessToken, "x"),
    Columns(JobToken, "j"),
    Columns(TrustedPublisher, "t"),
)


@dataclass(frozen=True, kw_only=True)
class Find:
    """A token by its hash with all that a caller is made of, in one statement."""

    tables: str
    parts: tuple[Columns[Any], ...]
    as_caller: Callable[..., Caller]
    more: tuple[str, ...] = ()

    @cached_property
    def text(self) -> str:
        """`parts`, of which the first is the token, and `more` columns."""
        columns = ", ".join((*(part.sql for part in self.parts), *self.more))
        token = self.parts[0].alias
        return f"SELECT {columns} FROM {self.tables} WHERE {token}.secret_sha256 = %(digest)s"  # noqa: S608 - names of columns


def _of_key(key: ApiKey, client: Client, *look: Any) -> Caller:
    relate(key, client=client)
    return Caller(client=client, api_key=key, first_look=[*look])


def _of_access_token(session: AccessToken, key: ApiKey, client: Client, *look: Any) -> Caller:
    relate(session, api_key=key)
    return Caller(client=client, api_key=key, access_token=session, first_look=[*look])


def _of_job_token(
    token: JobToken,
    client: Client,
    key: ApiKey | None,
    publisher: TrustedPublisher | None,
    *look: Any,
) -> Caller:
    relate(token, publisher=publisher)
    return Caller(client=client, api_key=key, job_token=token, first_look=[*look])


# Each equals a look-up of the ORM such as
# `JobToken.objects.select_related("client", "api_key", "publisher").get(secret_sha256=...)`.
FIND = {
    TokenKind.API_KEY: Find(
        tables="credentials_apikey k JOIN credentials_client c ON c.id = k.client_id",
        parts=(KEY, CLIENT),
        as_caller=_of_key,
    ),
    TokenKind.ACCESS_TOKEN: Find(
        tables="credentials_keysession x JOIN credentials_apikey k ON k.id = x.api_key_id"
        " JOIN credentials_client c ON c.id = k.client_id",
        parts=(SESSION, KEY, CLIENT),
        as_caller=_of_access_token,
    ),
    TokenKind.JOB_TOKEN: Find(
        tables="credentials_jobtoken j JOIN credentials_client c ON c.id = j.client_id"
        " LEFT JOIN credentials_apikey k ON k.id = j.api_key_id"
        " LEFT JOIN credentials_trustedpublisher t ON t.id = j.publisher_id",
        parts=(JOB, CLIENT, KEY, PUBLISHER),
        as_caller=_of_job_token,
    ),
}


@dataclass(frozen=True, kw_only=True)
class Origin:
    """The address and the user agent that the ledger keeps."""

    address: str = ""
    agent: str = ""
