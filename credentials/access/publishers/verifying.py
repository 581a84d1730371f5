"""From a raw identity token to claims that can be believed: who signed it, for whom, and when."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
from django.conf import settings

from credentials.access.models import OidcIssuer
from credentials.access.publishers.errors import (
    IdentityTokenExpired,
    InvalidIdentityToken,
    JwksUnavailable,
    UnknownIssuer,
    WrongAudience,
)
from credentials.access.publishers.jwks import KeysUnavailable, keys_at
from credentials.access.publishers.reading import (
    ALGORITHMS,
    Unreadable,
    UnverifiedToken,
    read_token,
)
from credentials.secret import Secret

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
