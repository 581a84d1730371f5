"""Sessions for the service's own work on closed builds: to count what is there, to clean up.

They are no weaker way to a session that writes: only the policies that list or delete are made
here, and only for builds that nobody may have credentials for any more. Each has its ledger row,
like every other.
"""

from datetime import datetime

from builds.models import Build
from builds.services import find_build, lock_build
from credentials.access.callers import INTERNAL_TOKEN_NAME
from credentials.access.origins import Origin
from credentials.errors import BuildInUse
from credentials.issuing import PlannedSession, VendedSession, issue_planned
from credentials.models import Delivery
from credentials.scoping import duration_for, policy_for


def issue_inside_session(
    *, build_id: int, delivery: Delivery, origin: Origin, now: datetime
) -> VendedSession:
    """A session that may list a finished or deleted build, or clean a deleted one.

    `delivery` is LIST or CLEAN, else ValueError. The session is nobody's: it counts for no client.
    Raises UnknownBuild, BuildInUse, ScopeChanged, PolicyTooLarge, an StsError, SessionWithheld.
    """
    if delivery not in {Delivery.LIST, Delivery.CLEAN}:
        raise ValueError("only sessions that list or clean are issued for closed builds")
    build = find_build(build_id=build_id)
    if not _may_be_used(build, delivery):
        raise BuildInUse
    plan = PlannedSession(
        build=build,
        delivery=delivery,
        policy=policy_for(build, delivery),
        seconds=duration_for(build, delivery, None),
        client=None,
        client_name=INTERNAL_TOKEN_NAME,
        token_name=INTERNAL_TOKEN_NAME,
        still_stands=lambda _now, *, lock: _may_be_used(  # noqa: ARG005 - always locked
            lock_build(build_id=build_id), delivery
        ),
    )
    return issue_planned(plan=plan, origin=origin, now=now)


def _may_be_used(build: Build, delivery: Delivery) -> bool:
    """Deleting is final, and so is finishing: neither ever gives a build back to its owner."""
    is_deleted = build.deleted_at is not None
    return is_deleted or (delivery is Delivery.LIST and build.finished_at is not None)
