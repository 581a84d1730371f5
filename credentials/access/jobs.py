"""The tokens of CI jobs: making one, ending one."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction

from builds.models import Product
from credentials.access.models import ApiKey, Client, JobGrant, JobToken, TrustedPublisher
from credentials.access.models.jobs import IDENTITY_LENGTH
from credentials.access.tokens import TokenKind, new_token
from credentials.errors import LifeOutOfRange
from credentials.secret import Secret

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
    life_seconds: int | None = None,
    not_after: datetime | None = None,
) -> tuple[JobToken, Secret]:
    """A new job token for some of a client's products, and its text, which cannot be had again.

    Exactly one of `api_key` and `publisher` is where it comes from; it dies with that. It lives
    `life_seconds` (300 to 43,200; None: `LTD_JOB_TOKEN_SECONDS`) and never past `not_after`.
    Whether the products are granted is the caller's to check. Raises LifeOutOfRange.
    """
    require_legal_life(life_seconds)
    seconds = settings.LTD_JOB_TOKEN_SECONDS if life_seconds is None else life_seconds
    expires_at = now + timedelta(seconds=seconds)
    token = new_token(TokenKind.JOB_TOKEN)
    with transaction.atomic():
        row = JobToken.objects.create(
            client=client,
            api_key=api_key,
            publisher=publisher,
            identity=identity[:IDENTITY_LENGTH],
            public_id=token.public_id,
            secret_sha256=token.digest,
            created_at=now,
            expires_at=min(expires_at, not_after or expires_at),
        )
        JobGrant.objects.bulk_create(
            JobGrant(job_token=row, product=product) for product in products
        )
    return row, token.text


def require_legal_life(life_seconds: int | None) -> None:
    """Refuse a life that no job token can have; None is the usual one. Raises LifeOutOfRange."""
    if life_seconds is not None and not SHORTEST_SECONDS <= life_seconds <= LONGEST_SECONDS:
        raise LifeOutOfRange


def end_job_token(*, job_token: JobToken, now: datetime) -> None:
    """End a job token for good, at its next call. Ending it again changes nothing."""
    with transaction.atomic():
        locked = JobToken.objects.select_for_update(no_key=True).get(pk=job_token.pk)
        if locked.ended_at is None:
            locked.ended_at = now
            locked.save(update_fields=["ended_at"])
