"""Who may ask, as rows: clients, their keys, the tokens of jobs, trusted publishers, ownership."""

from credentials.models.clients import Client, Grant
from credentials.models.publishers import OidcIssuer, TrustedPublisher, UsedIdentityToken
from credentials.models.tokens import (
    ApiKey,
    ApiKeyQuerySet,
    JobGrant,
    JobToken,
    KeySession,
    Registration,
)

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
