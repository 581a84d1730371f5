"""From a presented token to the caller it stands for. Nothing is served from memory here: every
call reads the key and its client from the database, so a withdrawal works at the next call.
"""

from dataclasses import dataclass
from datetime import datetime

from credentials.access.models import ApiKey, Client, KeySession
from credentials.access.tokens import PresentedToken, TokenKind, matches, parse_token
from credentials.errors import InvalidCredentials

# Compared with when there is no such token, so that an unknown id costs the same work.
NO_DIGEST = "0" * 64

INTERNAL_TOKEN_NAME = "inside"  # noqa: S105 - a name


@dataclass(frozen=True, kw_only=True)
class Caller:
    """An authenticated client and what it showed. `key_session` is None for a bare API key.

    Without an API key the caller is the service itself, acting for one of its own clients.
    """

    client: Client
    api_key: ApiKey | None = None
    key_session: KeySession | None = None
    is_authenticated: bool = True

    @property
    def token_name(self) -> str:
        """What the ledger calls the token that was shown: the key, then the session it gave."""
        shown = [token.token_name for token in (self.api_key, self.key_session) if token]
        return "/".join(shown) or INTERNAL_TOKEN_NAME

    @property
    def expires_at(self) -> datetime | None:
        """When what was shown ends: the key or its session, whichever is first. None: never."""
        ends = [token.expires_at for token in (self.api_key, self.key_session) if token]
        return min((end for end in ends if end), default=None)

    def is_alive(self, now: datetime) -> bool:
        """Whether client, key and key session are all good at a moment."""
        return (
            self.client.is_active
            and (self.api_key is None or self.api_key.is_usable(now))
            and (self.key_session is None or now < self.key_session.expires_at)
        )


def authenticate(*, raw_token: str, name: str | None, now: datetime) -> Caller:
    """The caller of a token. `name`, where one was sent beside it, must be the client's.

    Raises InvalidCredentials, without saying which part was wrong.
    """
    presented = parse_token(raw_token)
    if presented is None:
        raise InvalidCredentials
    find = _by_api_key if presented.kind is TokenKind.API_KEY else _by_key_session
    caller = find(presented)
    if caller is None or name not in {None, caller.client.name} or not caller.is_alive(now):
        raise InvalidCredentials
    return caller


def _by_api_key(presented: PresentedToken) -> Caller | None:
    keys = ApiKey.objects.select_related("client")
    key = keys.filter(public_id=presented.public_id).first()
    if not matches(presented, key.secret_sha256 if key else NO_DIGEST) or key is None:
        return None
    return Caller(client=key.client, api_key=key)


def _by_key_session(presented: PresentedToken) -> Caller | None:
    sessions = KeySession.objects.select_related("api_key__client")
    session = sessions.filter(public_id=presented.public_id).first()
    if not matches(presented, session.secret_sha256 if session else NO_DIGEST) or session is None:
        return None
    return Caller(client=session.api_key.client, api_key=session.api_key, key_session=session)
