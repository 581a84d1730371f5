"""From a raw identity token to verified claims: who signed it, for whom, and when.

PyJWT verifies. Before that, the token is read more strictly than PyJWT reads it, so that the two
cannot see different tokens: names that occur twice, NaN, other encodings than UTF-8, half
characters (lone surrogates), and the `crit` and `b64` headers are refused.

The keys of an issuer come from its one configured address. An issuer that hangs, or that sends
without end, blocks one thread for seconds, and then none for a while. Each process caches keys for
itself: losing them costs a fetch.
"""

import base64
import hashlib
import http.client
import json
import re
import ssl
import threading
import time
import urllib.request
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

import jwt
import orjson
import structlog
from django.conf import settings
from django.db import IntegrityError, transaction
from jwt import PyJWK, PyJWKClient, PyJWKSet
from jwt.exceptions import PyJWTError

from builds.names import has_controls
from credentials.errors import (
    IdentityTokenExpired,
    InvalidIdentityToken,
    JwksUnavailable,
    ReusedToken,
    UnknownIssuer,
    WrongAudience,
)
from credentials.models import OidcIssuer, UsedIdentityToken
from credentials.rules.cooldown import Cooldown
from credentials.rules.secret import Secret

MAX_TOKEN_LENGTH = 16 * 1024
ALGORITHMS = ("RS256", "ES256")
COMPACT = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\Z")

LEEWAY = timedelta(seconds=30)
# Ten times the leeway that expiry is checked with: a used token is forgotten when it is refused
# anyway, also by a host whose clock is behind that of the one which forgets it.
REMEMBERED_LONGER = 10 * LEEWAY
# GitLab's tokens live as long as their job may, which is a month at the most.
LONGEST_LIFE = timedelta(days=31)
REQUIRED = ("iss", "aud", "iat", "exp")
TIMES = ("iat", "exp", "nbf")

REASONS: dict[type[jwt.PyJWTError], str] = {
    jwt.InvalidSignatureError: "Its signature is wrong.",
    jwt.InvalidAlgorithmError: "Its algorithm is not that of its key.",
    jwt.InvalidKeyError: "Its key is too short.",
    jwt.ImmatureSignatureError: "It is from the future: a clock is wrong.",
    jwt.MissingRequiredClaimError: f"It lacks one of {', '.join(REQUIRED)}.",
}

TIMEOUT_SECONDS = 2.0
WHOLE_ANSWER_SECONDS = 4.0
WAIT_FOR_OTHERS_SECONDS = 3.0
MAX_ANSWER_BYTES = 256 * 1024
CHUNK_BYTES = 16 * 1024
# How long keys are used without looking again, and how long an unknown key id waits for that.
KEPT_SECONDS = 300.0
UNKNOWN_KEY_SECONDS = 30.0
FAILED_SECONDS = 10.0
# A document that cannot be read as keys raises any of the latter.
FETCH_FAILURES = (
    OSError,
    http.client.HTTPException,
    PyJWTError,
    ValueError,
    TypeError,
    AttributeError,
    RecursionError,
)

log = structlog.get_logger(__name__)
cooldown = Cooldown(seconds=FAILED_SECONDS)
_making = threading.Lock()


@dataclass(frozen=True, kw_only=True)
class VerifiedIdentity:
    """What an issuer has signed. `one_time_id` is what the token is remembered by."""

    issuer: OidcIssuer
    signed_claims: Mapping[str, Any]
    one_time_id: str
    expires_at: datetime


def verify_identity_token(*, raw_token: Secret, now: datetime) -> VerifiedIdentity:
    """The claims of a token that a known issuer signed, for this service, and not too long ago.

    Nothing is fetched before the issuer was found among the configured ones, and then only its
    configured address. Raises InvalidIdentityToken, UnknownIssuer, JwksUnavailable,
    WrongAudience, IdentityTokenExpired.
    """
    text = raw_token.reveal()
    issuer_name, key_id = read_unverified(text)
    issuer = OidcIssuer.objects.filter(issuer=issuer_name).first()
    if issuer is None or issuer.issuer != issuer_name or not issuer.is_active:
        raise UnknownIssuer
    signed_claims = _verified_claims(text, issuer, keys_at(issuer.jwks_url).find(key_id))
    return VerifiedIdentity(
        issuer=issuer,
        signed_claims=signed_claims,
        one_time_id=_one_time_id(issuer, signed_claims, text),
        expires_at=_expiry(signed_claims, now),
    )


def use_up(*, identity: VerifiedIdentity, now: datetime) -> None:
    """Take a verified token, permanently: committed when this returns. Raises ReusedToken.

    The unique index decides between two that come at once. Ids of tokens that have expired are
    removed on the way, so the table follows the traffic.
    """
    UsedIdentityToken.objects.filter(expires_at__lte=now).delete()
    kept_until = identity.expires_at + REMEMBERED_LONGER
    try:
        with transaction.atomic(durable=True):
            UsedIdentityToken.objects.create(
                one_time_id=identity.one_time_id, expires_at=kept_until
            )
    except IntegrityError:
        raise ReusedToken from None


def read_unverified(raw_token: str) -> tuple[str, str]:
    """The issuer and the key id that a well-formed token names.

    Raises InvalidIdentityToken, whose words hold nothing of the token's text.
    """
    if len(raw_token) > MAX_TOKEN_LENGTH:
        raise InvalidIdentityToken("It is longer than 16 KB.")
    if not COMPACT.match(raw_token):
        raise InvalidIdentityToken("It is not a signed JWT: three parts in base64url.")
    unverified_header, unverified_claims = map(_strict_object, raw_token.split(".")[:2])
    if {"crit", "b64"} & unverified_header.keys():
        raise InvalidIdentityToken("It has critical headers, which are not understood here.")
    if unverified_header.get("alg") not in ALGORITHMS:
        raise InvalidIdentityToken("It is not signed with RS256 or ES256.")
    return _line_of_text(unverified_claims, "iss"), _line_of_text(unverified_header, "kid")


def _strict_object(encoded: str) -> dict[str, Any]:
    """A part of a token. orjson is strict in everything but names that occur twice."""
    members = None
    with suppress(ValueError, RecursionError):
        text = base64.urlsafe_b64decode(encoded + "==")
        orjson.loads(text)
        members = json.loads(text, object_pairs_hook=_unique_names)
    if not isinstance(members, dict):
        raise InvalidIdentityToken(
            "Its header and claims are not JSON objects in which each name occurs once."
        )
    return members


def _unique_names(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a name occurs twice")
    return members


def _line_of_text(members: dict[str, Any], name: str) -> str:
    value = members.get(name)
    if not isinstance(value, str) or not value or has_controls(value):
        raise InvalidIdentityToken(f"It lacks `{name}`, or that is not a line of text.")
    return value


def _verified_claims(raw_token: str, issuer: OidcIssuer, key: jwt.PyJWK) -> dict[str, Any]:
    """What PyJWT makes of the token; its own words stay here.

    PyJWT takes a list of audiences in which ours is one of several; here it must be the only one,
    alone or in a list (RFC 7519, 4.1.3): others could show the token here as well.
    """
    ours = settings.LTD_OIDC_AUDIENCE
    try:
        claims = jwt.decode(
            raw_token,
            key=key,
            algorithms=ALGORITHMS,
            audience=ours,
            issuer=issuer.issuer,
            leeway=LEEWAY,
            options={
                "verify_signature": True,
                "verify_aud": True,
                "verify_exp": True,
                "verify_iat": True,
                "verify_iss": True,
                "verify_jti": True,
                "verify_nbf": True,
                "strict_aud": False,
                "require": list(REQUIRED),
                "enforce_minimum_key_length": True,
            },
        )
    except jwt.InvalidAudienceError:
        raise WrongAudience from None
    except jwt.ExpiredSignatureError:
        raise IdentityTokenExpired from None
    except jwt.PyJWTError as err:
        reason = REASONS.get(type(err), "Its claims have an unexpected form.")
        raise InvalidIdentityToken(reason) from None
    if claims["aud"] not in (ours, [ours]):
        raise WrongAudience
    return claims


def _one_time_id(issuer: OidcIssuer, signed_claims: Mapping[str, Any], raw_token: str) -> str:
    """Made of issuer and `jti`, or of the signed text where there is none."""
    jti = signed_claims.get("jti")
    unique = ("jti", jti) if jti else ("signed", raw_token.rpartition(".")[0])
    return hashlib.sha256("\n".join((issuer.issuer, *unique)).encode()).hexdigest()


def _expiry(signed_claims: Mapping[str, Any], now: datetime) -> datetime:
    """When a token ends. PyJWT takes numbers in text for times; providers do not send them."""
    times = [signed_claims[name] for name in TIMES if name in signed_claims]
    if not all(type(moment) in {int, float} for moment in times):
        raise InvalidIdentityToken("Its times are not numbers.")
    if signed_claims["exp"] > (now + LONGEST_LIFE).timestamp():
        raise InvalidIdentityToken("It would live longer than 31 days.")
    return datetime.fromtimestamp(signed_claims["exp"], UTC)


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A response that points elsewhere is an error: only the configured address is fetched."""

    def redirect_request(self, *_args: Any, **_kwargs: Any) -> None:
        return None


class IssuerKeys(PyJWKClient):
    """PyJWT's client, which keeps the keys, with a fetch of our own: https only, limited in size
    and time, and left alone for a while after it failed.

    `SSL_CERT_FILE` and `SSL_CERT_DIR` name private authorities, as everywhere in OpenSSL.
    """

    def __init__(self, url: str) -> None:
        super().__init__(
            url,
            cache_jwk_set=True,
            lifespan=KEPT_SECONDS,
            cooldown_duration=UNKNOWN_KEY_SECONDS,
        )
        self._turn = threading.Lock()
        context = ssl.create_default_context()
        https = urllib.request.HTTPSHandler(context=context)
        self._opener = urllib.request.build_opener(_NoRedirects(), https)

    def find(self, key_id: str) -> PyJWK:
        """The signing key of an id. Raises InvalidIdentityToken, JwksUnavailable."""
        if self._turn.locked() and cooldown.is_on(self.uri):
            raise JwksUnavailable  # another thread waited for this fetch in vain already
        if not self._turn.acquire(timeout=WAIT_FOR_OTHERS_SECONDS):
            cooldown.begin(self.uri)
            raise JwksUnavailable
        try:
            return self.get_signing_key(key_id)
        except PyJWTError:
            raise InvalidIdentityToken("Its issuer has no such key.") from None
        finally:
            self._turn.release()

    def fetch_data(self) -> PyJWKSet:
        """The keys as they are at the address now. Raises JwksUnavailable."""
        if cooldown.is_on(self.uri):
            raise JwksUnavailable
        try:
            keys = PyJWKSet.from_dict(json.loads(self._answer()))
        except FETCH_FAILURES as err:
            cooldown.begin(self.uri)
            reason = getattr(err, "reason", err)
            log.warning("jwks_unavailable", url=self.uri, reason=type(reason).__name__)
            raise JwksUnavailable from None
        self._last_successful_fetch = time.monotonic()
        return keys

    def _answer(self) -> bytes:
        if not self.uri.startswith("https://"):
            raise ValueError("keys come over https only")
        give_up = time.monotonic() + WHOLE_ANSWER_SECONDS
        headers = {"Accept": "application/json", "User-Agent": "ltdkeeper"}
        request = urllib.request.Request(self.uri, headers=headers)  # noqa: S310 - https, see above
        with self._opener.open(request, timeout=TIMEOUT_SECONDS) as response:
            answer = bytearray()
            while chunk := response.read1(CHUNK_BYTES):
                answer += chunk
                if len(answer) > MAX_ANSWER_BYTES:
                    raise ValueError("the response is too long")
                if time.monotonic() > give_up:
                    raise TimeoutError
            return bytes(answer)


def keys_at(url: str) -> IssuerKeys:
    """The keys at an address, shared by the threads of this process."""
    with _making:  # the cache alone lets threads that come at once make one each
        return _kept(url)


@lru_cache(maxsize=64)
def _kept(url: str) -> IssuerKeys:
    return IssuerKeys(url)
