"""From a raw identity token to claims that can be believed: who signed it, for whom, and when."""

import base64
import binascii
import hashlib
import http.client
import json
import re
import ssl
import threading
import time
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any
from urllib.error import URLError

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

# An identity token as it was sent: taken apart strictly, with nothing in it believed yet. Pure.
#
# PyJWT takes it apart again when it verifies. This reading is stricter, so that the two cannot
# see different tokens: names that occur twice, NaN, half characters (lone surrogates), and the
# `crit` and `b64` headers are refused.

MAX_TOKEN_LENGTH = 16 * 1024
ALGORITHMS = ("RS256", "ES256")
_COMPACT = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\Z")


class Unreadable(ValueError):
    """The text is not an identity token that could be verified. The message says why."""


@dataclass(frozen=True, kw_only=True)
class UnverifiedToken:
    """A well-formed token. Only `issuer` and `key_id` are for use before it is verified."""

    issuer: str
    key_id: str
    signing_input: str


def read_token(raw_token: str) -> UnverifiedToken:
    """The parts of an identity token. Raises Unreadable, whose words hold nothing of its text."""
    if len(raw_token) > MAX_TOKEN_LENGTH:
        raise Unreadable("It is longer than 16 KB.")
    if not _COMPACT.match(raw_token):
        raise Unreadable("It is not a signed JWT: three parts in base64url.")
    signing_input = raw_token.rpartition(".")[0]
    header, claims = (_read_object(part) for part in signing_input.split("."))
    if "crit" in header or "b64" in header:
        raise Unreadable("It has critical headers, which are not understood here.")
    if header.get("alg") not in ALGORITHMS:
        raise Unreadable("It is not signed with RS256 or ES256.")
    return UnverifiedToken(
        issuer=_text(claims, "iss"), key_id=_text(header, "kid"), signing_input=signing_input
    )


def _text(members: dict[str, Any], name: str) -> str:
    value = members.get(name)
    if not isinstance(value, str) or not value:
        raise Unreadable(f"It lacks `{name}`.")
    if has_controls(value):
        raise Unreadable(f"Its `{name}` holds control characters.")
    return value


def _read_object(encoded: str) -> dict[str, Any]:
    try:
        text = base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)).decode()
        read = json.loads(text, object_pairs_hook=_once, parse_constant=_no_constant)
        orjson.loads(text)  # takes no lone surrogates, which no database and no hash takes either
    except Unreadable:
        raise
    except (binascii.Error, ValueError, RecursionError):
        raise Unreadable("Header or claims are not JSON.") from None
    if not isinstance(read, dict):
        raise Unreadable("Header or claims are not a JSON object.")
    return read


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise Unreadable("A name occurs twice in it.")
    return members


def _no_constant(name: str) -> Any:
    raise Unreadable(f"It holds {name}, which is not JSON.")


# The public keys of an issuer: fetched from its one configured address, and kept for a while.
#
# An issuer that hangs, or that sends without end, holds up a thread for seconds and then nobody
# for a while. Nothing of this needs to be shared between processes: losing it costs a fetch.

TIMEOUT_SECONDS = 2.0
WHOLE_ANSWER_SECONDS = 4.0
WAIT_FOR_OTHERS_SECONDS = 3.0
MAX_ANSWER_BYTES = 256 * 1024
CHUNK_BYTES = 16 * 1024
# How long keys are used without looking again, and how long an unknown key id waits for that.
KEPT_SECONDS = 300.0
UNKNOWN_KEY_SECONDS = 30.0
FAILED_SECONDS = 10.0

log = structlog.get_logger(__name__)
cooldown = Cooldown(seconds=FAILED_SECONDS)


class KeysUnavailable(Exception):
    """The issuer's keys could not be fetched; trying again later may help."""


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """An answer that points elsewhere is an error: only the configured address is fetched."""

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

    def find(self, key_id: str) -> PyJWK | None:
        """The signing key of an id; None when the issuer has none. Raises KeysUnavailable."""
        if self._turn.locked() and cooldown.is_on(self.uri):
            raise KeysUnavailable  # somebody waited for this fetch in vain already
        if not self._turn.acquire(timeout=WAIT_FOR_OTHERS_SECONDS):
            cooldown.begin(self.uri)
            raise KeysUnavailable
        try:
            return self.get_signing_key(key_id)
        except PyJWTError:
            return None
        finally:
            self._turn.release()

    def fetch_data(self) -> PyJWKSet:
        """The keys as they are at the address now. Raises KeysUnavailable."""
        if cooldown.is_on(self.uri):
            raise KeysUnavailable
        try:
            found = PyJWKSet.from_dict(json.loads(self._answer()))
        except FETCH_FAILURES as err:
            cooldown.begin(self.uri)
            reason = getattr(err, "reason", err)
            log.warning("jwks_unavailable", url=self.uri, reason=type(reason).__name__)
            raise KeysUnavailable from None
        self._last_successful_fetch = time.monotonic()
        return found

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
                    raise ValueError("the answer is too long")
                if time.monotonic() > give_up:
                    raise TimeoutError
            return bytes(answer)


# A document that cannot be read as keys raises any of the latter.
FETCH_FAILURES = (
    URLError,
    OSError,
    http.client.HTTPException,
    PyJWTError,
    ValueError,
    TypeError,
    AttributeError,
    RecursionError,
)


_making = threading.Lock()


def keys_at(url: str) -> IssuerKeys:
    """The keys at an address, shared by the threads of this process."""
    with _making:  # the cache alone lets threads that come at once make one each
        return _kept(url)


@lru_cache(maxsize=64)
def _kept(url: str) -> IssuerKeys:
    return IssuerKeys(url)


LEEWAY = timedelta(seconds=30)
# GitLab's tokens live as long as their job may, which is a month at the most.
LONGEST_LIFE = timedelta(days=31)
REQUIRED = ("iss", "aud", "iat", "exp")
TIMES = ("iat", "exp", "nbf")


@dataclass(frozen=True, kw_only=True)
class VerifiedIdentity:
    """What an issuer has signed. `signing_input` is the text that it signed."""

    issuer: OidcIssuer
    signed_claims: Mapping[str, Any]
    signing_input: str
    expires_at: datetime


def verify_identity_token(*, raw_token: Secret, now: datetime) -> VerifiedIdentity:
    """The claims of a token that a known issuer signed, for this service, and not too long ago.

    Nothing is fetched before the issuer was found among the configured ones, and then only its
    configured address. Raises InvalidIdentityToken, UnknownIssuer, JwksUnavailable,
    WrongAudience, IdentityTokenExpired.
    """
    try:
        unverified = read_token(raw_token.reveal())
    except Unreadable as err:
        raise InvalidIdentityToken(str(err)) from None
    issuer = OidcIssuer.objects.filter(issuer=unverified.issuer).first()
    if issuer is None or issuer.issuer != unverified.issuer or not issuer.is_active:
        raise UnknownIssuer
    signed_claims = _verified_claims(raw_token, issuer, _signing_key(issuer, unverified))
    return VerifiedIdentity(
        issuer=issuer,
        signed_claims=signed_claims,
        signing_input=unverified.signing_input,
        expires_at=_expiry(signed_claims, now),
    )


def _signing_key(issuer: OidcIssuer, unverified: UnverifiedToken) -> jwt.PyJWK:
    try:
        key = keys_at(issuer.jwks_url).find(unverified.key_id)
    except KeysUnavailable:
        raise JwksUnavailable from None
    if key is None:
        raise InvalidIdentityToken("Its issuer has no such key.")
    return key


def _verified_claims(raw_token: Secret, issuer: OidcIssuer, key: jwt.PyJWK) -> dict[str, Any]:
    """What PyJWT makes of the token; its own words stay here.

    PyJWT takes a list of audiences in which ours is one of several; here it must be the only one,
    alone or in a list (RFC 7519, 4.1.3): others could show the token here as well.
    """
    ours = settings.LTD_OIDC_AUDIENCE
    try:
        claims = jwt.decode(
            raw_token.reveal(),
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
        raise InvalidIdentityToken(_reason(err)) from None
    if claims["aud"] not in (ours, [ours]):
        raise WrongAudience
    return claims


def _reason(error: jwt.PyJWTError) -> str:
    for kind, sentence in REASONS.items():
        if isinstance(error, kind):
            return sentence
    return "Its claims are not as they should be."


# The first that fits is told.
REASONS: dict[type[jwt.PyJWTError], str] = {
    jwt.InvalidSignatureError: "Its signature is wrong.",
    jwt.InvalidAlgorithmError: "Its algorithm is not that of its key.",
    jwt.InvalidKeyError: "Its key is too short.",
    jwt.ImmatureSignatureError: "It is from the future: a clock is wrong.",
    jwt.MissingRequiredClaimError: f"It lacks one of {', '.join(REQUIRED)}.",
}


def _expiry(signed_claims: Mapping[str, Any], now: datetime) -> datetime:
    """When a token ends. PyJWT takes numbers in text for times; providers do not send them."""
    times = [signed_claims[name] for name in TIMES if name in signed_claims]
    if not all(type(moment) in {int, float} for moment in times):
        raise InvalidIdentityToken("Its times are not numbers.")
    if signed_claims["exp"] > (now + LONGEST_LIFE).timestamp():
        raise InvalidIdentityToken("It would live longer than 31 days.")
    return datetime.fromtimestamp(signed_claims["exp"], UTC)


# An identity token is good for one job token. Whoever is first has it.

# Twice the leeway that expiry is checked with: a token is forgotten after nobody takes it anymore.
KEPT_LONGER = 2 * LEEWAY


def one_time_id(identity: VerifiedIdentity) -> str:
    """What a token is remembered by: issuer and `jti`, or the signed text where it has none."""
    jti = identity.signed_claims.get("jti")
    told = ("jti", jti) if jti else ("signed", identity.signing_input)
    text = "\n".join((identity.issuer.issuer, *told))
    return hashlib.sha256(text.encode()).hexdigest()


def claim_identity(*, identity: VerifiedIdentity, now: datetime) -> None:
    """Take a verified token, for good: committed when this returns. Raises ReusedToken.

    The unique index decides between two that come at once. Ids of tokens that have expired are
    removed on the way, so the table follows the traffic.
    """
    UsedIdentityToken.objects.filter(expires_at__lte=now).delete()
    kept_until: datetime = identity.expires_at + timedelta(seconds=KEPT_LONGER.total_seconds())
    try:
        with transaction.atomic(durable=True):
            UsedIdentityToken.objects.create(
                one_time_id=one_time_id(identity), expires_at=kept_until
            )
    except IntegrityError:
        raise ReusedToken from None
