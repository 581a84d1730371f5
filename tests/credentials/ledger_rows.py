"""Rows of the ledger, made without STS."""

from datetime import UTC, datetime, timedelta
from typing import Any

from credentials.models import Delivery, IssuedSession, new_ledger_id

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def issued_row(**changes: Any) -> IssuedSession:
    """A row of a session that was issued a minute ago, for 1800 seconds."""
    ledger_id = changes.pop("id", new_ledger_id())
    fields = {
        "status": IssuedSession.Status.ISSUED,
        "delivery": Delivery.JSON,
        "store_name": "main",
        "product_slug": "guide",
        "build_slug": "v1",
        "client_name": "ci",
        "token_name": "ltdk_0123456789ab",
        "bucket_name": "docs-bucket",
        "root": "guide/builds/v1",
        "policy": "{}",
        "duration_seconds": 1800,
        "role_arn": "arn:aws:iam::123456789012:role/upload",
        "session_name": f"{ledger_id}-guide",
        "access_key_id": f"ASIA{ledger_id.upper()}",
        "requested_at": NOW - timedelta(minutes=1),
        "completed_at": NOW - timedelta(minutes=1),
        "expires_at": NOW + timedelta(minutes=29),
    }
    return IssuedSession.objects.create(id=ledger_id, **(fields | changes))


def requested_row(**changes: Any) -> IssuedSession:
    """A row of a session that has no outcome yet."""
    blank = {"access_key_id": "", "completed_at": None, "expires_at": None}
    return issued_row(status=IssuedSession.Status.REQUESTED, **(blank | changes))


def failed_row(**changes: Any) -> IssuedSession:
    """A row of a session that STS did not give."""
    blank = {"access_key_id": "", "expires_at": None, "failure_code": "sts_throttled"}
    return issued_row(status=IssuedSession.Status.FAILED, **(blank | changes))
