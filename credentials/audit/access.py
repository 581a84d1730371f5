"""What is wrong with who may ask: keys that nobody needs, clients at their limits."""

from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db.models import Count, QuerySet

from builds.models import Build
from credentials.access.models import ApiKey
from credentials.access.quotas import HOUR, NAME_OF_A_JOB, sessions_by_token
from credentials.audit.rules import CHUNK, Finding, Rule, is_unused
from credentials.models import IssuedSession


def audit_keys(now: datetime) -> Iterator[Finding]:
    """Usable keys that never expire, and those that nobody uses."""
    for key in ApiKey.objects.usable(now).select_related("client").iterator(CHUNK):
        if key.expires_at is None:
            message = (
                f"The key of {key.client} never expires. Make one with an expiry, withdraw this."
            )
            yield Finding(rule=Rule.KEY_WITHOUT_EXPIRY, subject=str(key), message=message)
        if is_unused(created_at=key.created_at, last_used_at=key.last_used_at, now=now):
            yield Finding(rule=Rule.KEY_UNUSED, subject=str(key), message=_about_use(key))


def _about_use(key: ApiKey) -> str:
    if key.last_used_at:
        use = f"was last used {key.last_used_at:%F %T} UTC"
    else:
        use = f"was made {key.created_at:%F %T} UTC and never used"
    return f"The key of {key.client} {use}. Withdraw it if nothing needs it."


def audit_limits(now: datetime) -> Iterator[Finding]:
    """Clients that can register no further build, in one query for each limit."""
    open_builds = Build.objects.open(now).filter(registration__client__is_active=True)
    limit = settings.LTD_OPEN_BUILDS
    for name, count in _at_limit(open_builds, "registration__client__name", limit):
        message = (
            f"Has {count} open builds; LTD_OPEN_BUILDS is {limit}, so it can register no more. "
            "Look for jobs that neither finish nor delete theirs."
        )
        yield Finding(rule=Rule.CLIENT_AT_LIMIT, subject=name, message=message)
    yield from _audit_sessions(now)


def _audit_sessions(now: datetime) -> Iterator[Finding]:
    """Clients and jobs that are refused further sessions, in one query."""
    recent = IssuedSession.objects.filter(requested_at__gt=now - HOUR, client__is_active=True)
    of_clients: Counter[str] = Counter()
    of_jobs: Counter[str] = Counter()
    for row in sessions_by_token(recent, "client__name").iterator(CHUNK):
        of_clients[row["client__name"]] += row["counted"]
        if NAME_OF_A_JOB in row["token_name"]:
            of_jobs[f"{row['client__name']}/{row['token_name']}"] = row["sessions"]
    for subject, count in sorted((of_clients | of_jobs).items()):
        if count >= (limit := settings.LTD_SESSIONS_AN_HOUR):
            message = (
                f"Asked for {count} sessions within an hour; LTD_SESSIONS_AN_HOUR is {limit}, so "
                "it can register no build. Look for a job that asks at every request."
            )
            yield Finding(rule=Rule.CLIENT_AT_LIMIT, subject=subject, message=message)


def _at_limit(rows: QuerySet[Any], client_name: str, limit: int) -> Iterator[tuple[str, int]]:
    """The clients with at least so many of the rows, and how many."""
    counted = rows.order_by().values_list(client_name).annotate(count=Count("pk"))
    yield from counted.filter(count__gte=limit).order_by(client_name)
