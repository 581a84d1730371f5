"""How much one client, and one job, may have at a time. Counted in the database, which all
processes share.

Two concurrent calls may both get the last place: the limits stop runaway jobs, not an attacker.
"""

from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.conf import settings
from django.db import connection
from django.db.models import Case, Count, F, Q, QuerySet, When
from django.db.models.functions import Least

from builds.fixed_sql import Condition, fetch
from credentials.access.callers import Caller
from credentials.errors import TooManyOpenBuilds, TooManySessions
from credentials.rules.tokens import TokenKind

HOUR = timedelta(hours=1)
# Of the sessions of one job, at most this part of the limit counts against its client, so that
# one job which asks too often does not take its siblings' place.
PART_OF_A_JOB = 10
NAME_OF_A_JOB = f"{TokenKind.JOB_TOKEN.value}_"
OF_A_JOB = Q(token_name__contains=NAME_OF_A_JOB)


def build_quota(*, caller: Caller, now: datetime) -> Condition:
    """What lets the caller register a build, by what its client and its job have."""
    return Condition(ROOM_FOR_A_BUILD, _parameters(caller, now))


def check_build_quota(*, caller: Caller, now: datetime) -> None:
    """Raises TooManyOpenBuilds or TooManySessions where `build_quota` does not hold."""
    found = fetch(BUILDS_AND_SESSIONS, _parameters(caller, now)) or ()
    open_builds, of_the_client, of_the_job = (int(number or 0) for number in found)
    if open_builds == settings.LTD_OPEN_BUILDS:
        raise TooManyOpenBuilds(
            f"This client has {open_builds} open builds, the maximum (LTD_OPEN_BUILDS). "
            "Finish or delete some."
        )
    for whose, sessions in (("job", of_the_job), ("client", of_the_client)):
        if sessions >= settings.LTD_SESSIONS_AN_HOUR:
            raise _too_many(whose)


class Quota(NamedTuple):
    """Holds while there is room for one more session; else the refusal is to be raised."""

    condition: Condition
    refusal: TooManySessions


def session_quota(*, caller: Caller, now: datetime) -> Quota | None:
    """What lets the caller ask for one more session.

    A job is held to its own sessions alone: it has its build, whatever its siblings do. Checks
    of the store, where nobody showed a token, are not limited.
    """
    whose = "job" if caller.job_token else "client" if caller.api_key else ""
    if not whose:
        return None
    return Quota(Condition(ROOM[whose], _parameters(caller, now)), _too_many(whose))


def _too_many(whose: str) -> TooManySessions:
    return TooManySessions(
        f"This {whose} has requested {settings.LTD_SESSIONS_AN_HOUR} sessions within an hour, the "
        "maximum (LTD_SESSIONS_AN_HOUR). Try again later, or reuse credentials until they expire."
    )


# How many sessions count against the client, and how many the caller's job asked for (0 for a key):
# the sums that `sessions_by_token` gives, with the ORM's query for them made once.
SUMS = f"""
       SUM(CASE WHEN by_job AND sessions > %(share)s THEN %(share)s ELSE sessions END) AS of_client,
       SUM(CASE WHEN by_job AND token_name = %(token)s THEN sessions ELSE 0 END) AS of_job
FROM (SELECT token_name, COUNT(*) AS sessions,
             token_name LIKE '%%{NAME_OF_A_JOB.replace("_", "!_")}%%' ESCAPE '!' AS by_job
      FROM credentials_issuedsession WHERE client_id = %(client)s AND requested_at > %(since)s
      GROUP BY token_name) AS subquery
"""  # noqa: S608 - the prefix of a token's name
# A job's own sessions are few: "+" keeps the index of the client's, which may be many, out of it.
OF_THE_JOB = """COUNT(*) AS of_job FROM credentials_issuedsession
WHERE token_name = %(token)s AND +client_id = %(client)s AND requested_at > %(since)s"""
ROOM = {
    whose: f"SELECT 1 FROM (SELECT {sums}) AS used WHERE COALESCE(of_{whose}, 0) < %(limit)s"  # noqa: S608 - as above
    for whose, sums in (("client", SUMS), ("job", OF_THE_JOB))
}
BUILDS_AND_SESSIONS = f"""SELECT (SELECT COUNT(*) FROM (
    SELECT 1 FROM builds_build
    WHERE registered_by = %(client)s AND finished_at IS NULL AND deleted_at IS NULL
      AND superseded_at IS NULL AND open_until > %(now)s
    LIMIT %(most)s) AS subquery) AS open_builds, {SUMS}"""  # noqa: S608 - as above
ROOM_FOR_A_BUILD = f"""SELECT 1 FROM ({BUILDS_AND_SESSIONS}) AS used WHERE open_builds < %(most)s
    AND COALESCE(of_client, 0) < %(limit)s AND COALESCE(of_job, 0) < %(limit)s"""  # noqa: S608 - as above


def _parameters(caller: Caller, now: datetime) -> dict[str, Any]:
    """Of all these statements; none has use for all of them."""
    return {
        "most": settings.LTD_OPEN_BUILDS,
        "limit": settings.LTD_SESSIONS_AN_HOUR,
        "now": connection.ops.adapt_datetimefield_value(now),
        "share": _share_of_a_job(),
        "token": caller.token_name,
        "client": caller.client.pk,
        "since": connection.ops.adapt_datetimefield_value(now - HOUR),
    }


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
