"""How much one client may have at a time. Counted in the database, where all processes look.

Two calls at once may both pass the last place: the limits stop runaway jobs, not an attacker.
"""

from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import QuerySet

from builds.models import Build
from credentials.access.models import Client
from credentials.errors import TooManyOpenBuilds, TooManySessions

HOUR = timedelta(hours=1)


def require_room(*, client: Client, now: datetime) -> None:
    """Raises TooManyOpenBuilds, TooManySessions when the client is at one of its limits."""
    open_builds = Build.objects.open(now).filter(registration__client=client)
    if _reaches(open_builds, limit := settings.LTD_OPEN_BUILDS):
        raise TooManyOpenBuilds(
            f"This client has {limit} open builds, the most it may (LTD_OPEN_BUILDS). "
            "Finish or delete some."
        )
    recent = client.issued_sessions.filter(requested_at__gt=now - HOUR)
    if _reaches(recent, limit := settings.LTD_SESSIONS_AN_HOUR):
        raise TooManySessions(
            f"This client asked for {limit} sessions within an hour, the most it may "
            "(LTD_SESSIONS_AN_HOUR). Come back later."
        )


def _reaches(rows: "QuerySet[Any]", limit: int) -> bool:
    """Whether there are at least so many rows; the database stops counting there."""
    return rows.order_by()[:limit].count() >= limit
