"""Requirements of a store's account: each is checked, created if missing, and read back."""

import operator
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError
from django.conf import settings

from credentials.operations.account.obstacles import (
    NoBucket,
    NotSupported,
    Obstacle,
    describe,
    is_unsupported,
)
from credentials.rules.account_documents import WantedAccount
from credentials.rules.policy_comparison import UnreadableDocumentError
from credentials.vending.store_errors import CALL_FAILED, error_code

if TYPE_CHECKING:
    from builds.models import Store

# Reading back what was just written may lag behind on AWS.
READS_BACK, PAUSE_SECONDS = 4, 0.5
# Half a minute with the pauses. A new user is not known at once to a policy that names it (AWS IAM
# user guide, eventual consistency).
PUTS = 50
# LookupError: a response without what it should have.
FAILURES = (Obstacle, UnreadableDocumentError, LookupError, *CALL_FAILED)


@dataclass(frozen=True, kw_only=True)
class Requirement:
    """Something the account must hold. `look` answers None while it is not there at all, and
    raises an Obstacle.

    `tolerated` is another value that stays as it is: all that the store can hold of the wanted one;
    `tolerance` says what that means for the operator.
    `late_codes` are error codes by which AWS says that it does not know yet what was just made.
    `unsupported_codes` are further error codes by which a store says that it does not know the
    setting; `unsupported` says what not having it means for the operator.
    """

    what: str
    why: str
    wanted: Any
    look: Callable[[], Any]
    put: Callable[[], object]
    equals: Callable[[Any, Any], bool] = operator.eq
    tolerated: Any = None
    tolerance: str = ""
    late_codes: frozenset[str] = frozenset()
    unsupported: str = ""
    unsupported_codes: frozenset[str] = frozenset()

    def is_met(self, found: Any) -> bool:
        return found is not None and self.equals(found, self.wanted)


class Status(StrEnum):
    """How a step ended. The last four need somebody to look."""

    UNCHANGED = "unchanged"
    CONFIRMED = "confirmed"
    MADE = "made"
    CHANGED = "changed"
    WOULD_MAKE = "would make"
    WOULD_CHANGE = "would change"
    BY_HAND = "by hand"
    NOT_TRIED = "not tried"
    NOT_SUPPORTED = "not supported"
    FAILED = "failed"


@dataclass(frozen=True, kw_only=True)
class Step:
    """What became of a requirement, and a sentence where one is needed."""

    what: str
    why: str
    status: Status
    detail: str = ""


def wanted_account(
    store: "Store", *, with_sync: bool = False, vendor_arn: str = "", prefix: str = "ltdkeeper"
) -> WantedAccount:
    """What the account of a store should hold; `with_sync` also for one that is not marked so."""
    return WantedAccount(
        bucket=store.bucket,
        region=store.region,
        role_arn=store.role_arn,
        role_max_seconds=store.role_max_seconds,
        external_id=store.external_id,
        kms_key_arn=store.kms_key_arn,
        with_sync=store.with_sync or with_sync,
        vendor_arn=vendor_arn,
        prefix=prefix,
        trail_bucket=settings.LTD_TRAIL_BUCKET,
        is_aws=not store.endpoint_url,
    )


def settle(requirement: Requirement, *, apply: bool) -> Step:
    """Look, change what differs if `apply`, and read it back. Never raises what the store says."""
    try:
        found = _look(requirement)
        if requirement.is_met(found):
            return _step(requirement, Status.UNCHANGED)
        if found is not None and found == requirement.tolerated:
            return _step(requirement, Status.NOT_SUPPORTED, requirement.tolerance)
        if not apply:
            return _step(requirement, Status.WOULD_MAKE if found is None else Status.WOULD_CHANGE)
        _put(requirement)
        if not _reads_back(requirement):
            detail = f"Accepted, but not kept. {requirement.unsupported}"
            return _step(requirement, Status.NOT_SUPPORTED, detail)
    except FAILURES as err:
        return _failure(requirement, err)
    return _step(requirement, Status.MADE if found is None else Status.CHANGED)


def is_settled(requirement: Requirement) -> bool:
    """Whether the store has it already; no when it cannot be known."""
    try:
        return requirement.is_met(_look(requirement))
    except FAILURES:
        return False


def _look(requirement: Requirement) -> Any:
    try:
        return requirement.look()
    except NoBucket:
        return None


def _put(requirement: Requirement) -> None:
    for _ in range(PUTS - 1):
        try:
            requirement.put()
        except ClientError as err:
            if error_code(err) not in requirement.late_codes:
                raise
            time.sleep(PAUSE_SECONDS)
        else:
            return
    requirement.put()


def _reads_back(requirement: Requirement) -> bool:
    for attempt in range(READS_BACK):
        time.sleep(PAUSE_SECONDS if attempt else 0)
        if requirement.is_met(_look(requirement)):
            return True
    return False


def _failure(requirement: Requirement, err: Exception) -> Step:
    if isinstance(err, NotSupported) or is_unsupported(err, requirement.unsupported_codes):
        detail = f"{describe(err)}. {requirement.unsupported}"
        return _step(requirement, Status.NOT_SUPPORTED, detail)
    return _step(requirement, Status.FAILED, describe(err))


def _step(requirement: Requirement, status: Status, detail: str = "") -> Step:
    return Step(what=requirement.what, why=requirement.why, status=status, detail=detail.strip())
