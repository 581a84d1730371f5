"""The identity that signs POSTs for stores that take none of a session: a profile's own key.

Such a signature reaches what its policy says and the identity may: one directory of one build.
Whoever held the key itself would reach every build of the bucket, so it never leaves this process.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

import boto3
import structlog
from botocore.exceptions import BotoCoreError

from builds.models import Store
from credentials.errors import VendorCredentialsMissing
from credentials.presigning.errors import PostSignerUnusable
from credentials.secret import Secret
from credentials.sts import AssumedSession

log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True)
class SigningIdentity:
    """A key of its own that stands in for a session."""

    access_key_id: str
    secret_access_key: Secret

    def stand_in(self, seconds: int, now: datetime) -> AssumedSession:
        """The key, to sign with for so many seconds: as a session without a token."""
        return AssumedSession(
            access_key_id=self.access_key_id,
            secret_access_key=self.secret_access_key,
            session_token=Secret(""),
            expires_at=now + timedelta(seconds=seconds),
            assumed_role_id="",
            packed_policy_percent=None,
            request_id="",
        )


def post_signer(store: Store) -> SigningIdentity:
    """The store's POST-signing identity, as its profile gives it.

    Raises PostSignerUnusable where the profile gives no key; where it gives a session's, which may
    end at any time; and where it gives the vendor's, which may do more. VendorCredentialsMissing
    where that cannot be compared.
    """
    found = _key_of(store.post_signer_profile)
    if found is None or found.token:
        raise _unusable(store, "it is missing or temporary")
    vendor = _key_of(None)
    if vendor is None:
        raise VendorCredentialsMissing
    if found.access_key == vendor.access_key:
        raise _unusable(store, "it is the vendor's")
    return SigningIdentity(
        access_key_id=found.access_key, secret_access_key=Secret(found.secret_key)
    )


def _key_of(profile: str | None) -> Any:
    """What boto3 finds, frozen; None when it finds nothing or cannot read it."""
    try:
        credentials = _boto_session(profile).get_credentials()
        return credentials.get_frozen_credentials() if credentials else None
    except BotoCoreError as err:
        log.warning("credentials_not_found", profile=profile, error=type(err).__name__)
        return None


@lru_cache(maxsize=32)
def _boto_session(profile: str | None) -> boto3.session.Session:
    """Shared, since finding credentials costs tens of milliseconds. As the vendor's key, one that
    was replaced in its file is found when the process starts anew.
    """
    return boto3.session.Session(profile_name=profile)


def _unusable(store: Store, reason: str) -> PostSignerUnusable:
    profile = store.post_signer_profile
    log.error("post_signer_unusable", store=store.name, profile=profile, reason=reason)
    return PostSignerUnusable()
