"""How much one client, and one job, may have at a time. Counted in the database, where all
processes look.

Two calls at once may both pass the last place: the limits stop runaway jobs, not an attacker.
"""

from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import Case, Count, F, Q, QuerySet, Sum, When
from django.db.models.functions import Least

from builds.models import Build
from credentials.access.callers import Caller
from credentials.access.tokens import TokenKind
from credentials.errors import TooManyOpenBuilds, TooManySessions

HOUR = timedelta(hours=1)
# Of the sessions of one job, at most this part of the limit counts against its client, so that
# one job which asks too often does not take its siblings' place.
PART_OF_A_JOB = 10
NAME_OF_A_JOB = f"{TokenKind.JOB_TOKEN.value}_"
OF_A_JOB = Q(token_name__contains=NAME_OF_A_JOB)


def require_room(*, caller: Caller, now: datetime) -> None:
    """Whether the caller may register a build, by what its client and its job have.

    Raises TooManyOpenBuilds, TooManySessions.
    """
    limit = settings.LTD_OPEN_BUILDS
    open_builds = Build.objects.open(now).filter(registration__client=caller.client)
    if open_builds.order_by()[:limit].count() >= limit:
        raise TooManyOpenBuilds(
            f"This client has {limit} open builds, the most it may (LTD_OPEN_BUILDS). "
            "Finish or delete some."
        )
    of_the_client, of_the_job = _sessions_of_the_hour(caller, now)
    _require("job", of_the_job)
    _require("client", of_the_client)


def require_session(*, caller: Caller, now: datetime) -> None:
    """Whether the caller may ask for one more session. Raises TooManySessions.

    A job is held to its own sessions alone: it has its build, whatever its siblings do. Checks
    of the store, where nobody showed a token, are not limited.
    """
    if caller.job_token:
        _require("job", _sessions_of_the_hour(caller, now)[1])
    elif caller.api_key:
        _require("client", _sessions_of_the_hour(caller, now)[0])


def _require(whose: str, sessions: int) -> None:
    limit = settings.LTD_SESSIONS_AN_HOUR
    if sessions >= limit:
        raise TooManySessions(
            f"This {whose} asked for {limit} sessions within an hour, the most it may "
            "(LTD_SESSIONS_AN_HOUR). Come back later, or use the credentials that it has."
        )


def _sessions_of_the_hour(caller: Caller, now: datetime) -> tuple[int, int]:
    """How many count against the client, and how many the caller's job asked for (0 for a key)."""
    recent = caller.client.issued_sessions.filter(requested_at__gt=now - HOUR)
    own = Q(token_name=caller.token_name) & OF_A_JOB
    found = sessions_by_token(recent).aggregate(
        of_the_client=Sum("counted", default=0), of_the_job=Sum("sessions", filter=own, default=0)
    )
    return found["of_the_client"], found["of_the_job"]


def sessions_by_token(rows: "QuerySet[Any]", *by: str) -> "QuerySet[Any, dict[str, Any]]":
    """Of each token, its `sessions` among some ledger rows, and how many are `counted`."""
    share = max(1, settings.LTD_SESSIONS_AN_HOUR // PART_OF_A_JOB)
    counted: QuerySet[Any, dict[str, Any]] = (
        rows.order_by()
        .values(*by, "token_name")
        .annotate(
            sessions=Count("pk"),
            counted=Case(When(OF_A_JOB, then=Least(F("sessions"), share)), default=F("sessions")),
        )
    )
    return counted
