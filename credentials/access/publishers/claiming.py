"""An identity token is good for one job token. Whoever is first has it."""

import hashlib
from datetime import datetime, timedelta

from django.db import IntegrityError, transaction

from credentials.access.models import UsedIdentityToken
from credentials.access.publishers.errors import ReusedToken
from credentials.access.publishers.verifying import LEEWAY, VerifiedIdentity

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
