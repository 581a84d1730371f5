"""Who may ask, as rows: clients, their keys, the tokens of jobs, trusted publishers, ownership."""

from credentials.access.models.clients import Client, Grant
from credentials.access.models.jobs import JobGrant, JobToken
from credentials.access.models.keys import ApiKey, ApiKeyQuerySet, KeySession
from credentials.access.models.publishers import (
    OidcIssuer,
    TrustedPublisher,
    UsedIdentityToken,
)
from credentials.access.models.registrations import Registration

__all__ = [
    "ApiKey",
    "ApiKeyQuerySet",
    "Client",
    "Grant",
    "JobGrant",
    "JobToken",
    "KeySession",
    "OidcIssuer",
    "Registration",
    "TrustedPublisher",
    "UsedIdentityToken",
]
