"""How much one client, and one job, may have at a time. Counted in the database, where all
processes look.

Two calls at once may both pass the last place: the limits stop runaway jobs, not an attacker.
"""

from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection
from django.db.models import Case, Count, F, Q, QuerySet, When
from django.db.models.functions import Least

from builds.fixed_sql import fetch
from credentials.access.callers import Caller
from credentials.errors import TooManyOpenBuilds, TooManySessions
from credentials.rules.tokens import TokenKind

HOUR = timedelta(hours=1)
# Of the sessions of one job, at most this part of the limit counts against its client, so that
# one job which asks too often does not take its siblings' place.
PART_OF_A_JOB = 10
NAME_OF_A_JOB = f"{TokenKind.JOB_TOKEN.value}_"
OF_A_JOB = Q(token_name__contains=NAME_OF_A_JOB)


def check_build_quota(*, caller: Caller, now: datetime) -> None:
    """Whether the caller may register a build, by what its client and its job have.

    Raises TooManyOpenBuilds, TooManySessions.
    """
    limit = settings.LTD_OPEN_BUILDS
    open_builds, of_the_client, of_the_job = _count(BUILDS_AND_SESSIONS, caller, now, most=limit)
    if open_builds == limit:
        raise TooManyOpenBuilds(
            f"This client has {limit} open builds, the most it may (LTD_OPEN_BUILDS). "
            "Finish or delete some."
        )
    _require("job", of_the_job)
    _require("client", of_the_client)


def check_session_quota(*, caller: Caller, now: datetime) -> None:
    """Whether the caller may ask for one more session. Raises TooManySessions.

    A job is held to its own sessions alone: it has its build, whatever its siblings do. Checks
    of the store, where nobody showed a token, are not limited.
    """
    if caller.job_token:
        _require("job", _count(SESSIONS, caller, now)[1])
    elif caller.api_key:
        _require("client", _count(SESSIONS, caller, now)[0])


def _require(whose: str, sessions: int) -> None:
    limit = settings.LTD_SESSIONS_AN_HOUR
    if sessions >= limit:
        raise TooManySessions(
            f"This {whose} asked for {limit} sessions within an hour, the most it may "
            "(LTD_SESSIONS_AN_HOUR). Come back later, or use the credentials that it has."
        )


# How many sessions count against the client, and how many the caller's job asked for (0 for a key):
# the sums that `sessions_by_token` gives, with the ORM's query for them made once.
SUMS = f"""SUM(CASE WHEN by_job AND sessions > %(share)s THEN %(share)s ELSE sessions END),
       SUM(CASE WHEN by_job AND token_name = %(token)s THEN sessions ELSE 0 END)
FROM (SELECT token_name, COUNT(*) AS sessions,
             token_name LIKE '%%{NAME_OF_A_JOB.replace("_", "!_")}%%' ESCAPE '!' AS by_job
      FROM credentials_issuedsession WHERE client_id = %(client)s AND requested_at > %(since)s
      GROUP BY token_name) AS subquery
"""  # noqa: S608 - the prefix of a token's name
SESSIONS = f"SELECT {SUMS}"
BUILDS_AND_SESSIONS = f"""SELECT (SELECT COUNT(*) FROM (
    SELECT 1 FROM builds_build b JOIN credentials_registration r ON r.build_id = b.id
    WHERE r.client_id = %(client)s AND b.finished_at IS NULL AND b.deleted_at IS NULL
      AND b.superseded_at IS NULL AND b.open_until > %(now)s
    LIMIT %(most)s) AS subquery), {SUMS}"""  # noqa: S608 - as above


def _count(text: str, caller: Caller, now: datetime, **more: int) -> list[int]:
    at = connection.ops.adapt_datetimefield_value
    parameters = {
        "share": _share_of_a_job(),
        "token": caller.token_name,
        "client": caller.client.pk,
        "since": at(now - HOUR),
        "now": at(now),
    }
    return [int(number or 0) for number in fetch(text, parameters | more) or ()]


def _share_of_a_job() -> int:
    return max(1, settings.LTD_SESSIONS_AN_HOUR // PART_OF_A_JOB)


def sessions_by_token(rows: "QuerySet[Any]", *by: str) -> "QuerySet[Any, dict[str, Any]]":
    """Of each token, its `sessions` among some ledger rows, and how many are `counted`."""
    share = _share_of_a_job()
    counted: QuerySet[Any, dict[str, Any]] = (
        rows.order_by()
        .values(*by, "token_name")
        .annotate(
            sessions=Count("pk"),
            counted=Case(When(OF_A_JOB, then=Least(F("sessions"), share)), default=F("sessions")),
        )
    )
    return counted
