"""Brings one setting of a store to what it should be, and says what became of it."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from credentials.stores.outcomes import Outcome, Status
from credentials.vending.store_errors import (
    UNSUPPORTED_CODES,
    UNSUPPORTED_STATUSES,
    error_code,
    http_status,
)

FORBIDDEN, NOT_FOUND = 403, 404
# Reading back what was just written may lag behind on AWS.
READS_BACK, PAUSE_SECONDS = 4, 0.5


@dataclass(frozen=True, kw_only=True)
class Setting:
    """Something a store should hold. `look` answers None while it is not there at all.

    `tolerated` is another value that stays as it is: all that the store can hold of the wanted one;
    `tolerance` says what that means for the operator.
    `unsupported_codes` are further error codes by which a store says that it does not know the
    setting; `unsupported` says what not having it means for the operator.
    """

    what: str
    why: str
    wanted: Any
    look: Callable[[], Any]
    put: Callable[[], object]
    tolerated: Any = None
    tolerance: str = ""
    unsupported: str = ""
    unsupported_codes: frozenset[str] = frozenset()


def settle(setting: Setting, *, apply: bool) -> Outcome:
    """Look, change what differs if `apply`, and read it back. Never raises what the store says."""
    try:
        found = look(setting)
        if found == setting.wanted:
            return _outcome(setting, Status.UNCHANGED)
        if found is not None and found == setting.tolerated:
            return _outcome(setting, Status.NOT_SUPPORTED, is_tolerated=True)
        if not apply:
            return _outcome(setting, Status.WOULD_MAKE if found is None else Status.WOULD_CHANGE)
        setting.put()
        if not _reads_back(setting):
            return _outcome(setting, Status.NOT_SUPPORTED, "Accepted, but not kept.")
    except (ClientError, BotoCoreError) as err:
        return _failure(setting, err)
    return _outcome(setting, Status.MADE if found is None else Status.CHANGED)


def look(setting: Setting) -> Any:
    """What the store holds now; None when it is not there."""
    try:
        return setting.look()
    except ClientError as err:
        if http_status(err) == NOT_FOUND:
            return None
        raise


def holds(setting: Setting) -> bool:
    """Whether the store has it already; no when it cannot be told."""
    try:
        return bool(look(setting) == setting.wanted)
    except (ClientError, BotoCoreError):
        return False


def told(err: ClientError | BotoCoreError) -> str:
    """The store's own words about an error, for the operator."""
    if not isinstance(err, ClientError):
        return f"{err}"
    message = err.response.get("Error", {}).get("Message") or ""
    return f"{http_status(err)} {error_code(err)} {message}".strip()


def is_unsupported(err: ClientError | BotoCoreError, codes: frozenset[str] = frozenset()) -> bool:
    """Whether the store says that it does not know the call at all."""
    if not isinstance(err, ClientError):
        return False
    return http_status(err) in UNSUPPORTED_STATUSES or error_code(err) in UNSUPPORTED_CODES | codes


def _reads_back(setting: Setting) -> bool:
    for attempt in range(READS_BACK):
        time.sleep(PAUSE_SECONDS if attempt else 0)
        if look(setting) == setting.wanted:
            return True
    return False


def _failure(setting: Setting, err: ClientError | BotoCoreError) -> Outcome:
    if is_unsupported(err, setting.unsupported_codes):
        return _outcome(setting, Status.NOT_SUPPORTED, f"{told(err)}.")
    return _outcome(setting, Status.FAILED, told(err))


def _outcome(
    setting: Setting, status: Status, detail: str = "", *, is_tolerated: bool = False
) -> Outcome:
    if status is Status.NOT_SUPPORTED:
        meaning = setting.tolerance if is_tolerated else setting.unsupported
        detail = " ".join(part for part in (detail, meaning) if part)
    return Outcome(what=setting.what, why=setting.why, status=status, detail=detail)
