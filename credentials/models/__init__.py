"""The rows of `credentials`: callers, their tokens, trusted publishers, ledger and its exports,
revocations, runs and findings, refusals, webhooks.
"""

from credentials.models.audits import AuditFinding, JobRun, last_runs
from credentials.models.clients import Client, Grant, PersonIdentity
from credentials.models.figures import EVERYBODY, HourlyCount, Refusal
from credentials.models.outbox import (
    EventKind,
    Webhook,
    WebhookDelivery,
    record_build_event,
    record_event,
)
from credentials.models.publishers import OidcIssuer, TrustedPublisher, UsedIdentityToken
from credentials.models.retention import LedgerExport, PolicyTemplate
from credentials.models.revocations import Revocation
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
    BuildOwner,
    CiJob,
    JobProduct,
    JobToken,
)

__all__ = [
    "EVERYBODY",
    "INTERNAL",
    "WRITING",
    "AccessToken",
    "ApiKey",
    "AuditFinding",
    "BuildOwner",
    "CiJob",
    "Client",
    "Delivery",
    "EventKind",
    "Grant",
    "HourlyCount",
    "IsolationRun",
    "IssuedSession",
    "JobProduct",
    "JobRun",
    "JobToken",
    "Lease",
    "LedgerExport",
    "OidcIssuer",
    "PersonIdentity",
    "PolicyTemplate",
    "Refusal",
    "Revocation",
    "TrustedPublisher",
    "UsedIdentityToken",
    "Webhook",
    "WebhookDelivery",
    "last_runs",
    "last_verdicts",
    "new_ledger_id",
    "record_build_event",
    "record_event",
]
