"""The rows of `credentials`: callers and their tokens, trusted publishers, the ledger, runs."""

from credentials.models.clients import Client, Grant
from credentials.models.publishers import OidcIssuer, TrustedPublisher, UsedIdentityToken
from credentials.models.runs import IsolationRun, Lease, last_verdicts
from credentials.models.sessions import (
    INTERNAL,
    WRITING,
    Delivery,
    IssuedSession,
    new_ledger_id,
)
from credentials.models.tokens import (
    AccessToken,
    ApiKey,
    ApiKeyQuerySet,
    BuildOwner,
    JobProduct,
    JobToken,
)

__all__ = [
    "INTERNAL",
    "WRITING",
    "AccessToken",
    "ApiKey",
    "ApiKeyQuerySet",
    "BuildOwner",
    "Client",
    "Delivery",
    "Grant",
    "IsolationRun",
    "IssuedSession",
    "JobProduct",
    "JobToken",
    "Lease",
    "OidcIssuer",
    "TrustedPublisher",
    "UsedIdentityToken",
    "last_verdicts",
    "new_ledger_id",
]
