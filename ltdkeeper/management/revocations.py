"""What `revoke` and `write_revocations` share: who writes, and how decisions are reported."""

from collections.abc import Iterator, Sequence
from typing import Any

import boto3
from django.utils import timezone

from builds.models import Store
from credentials.models import Revocation
from credentials.operations.account.clients import StoreClients
from credentials.operations.account.obstacles import Whose
from credentials.operations.revocation_policy import WAIT, Written, write_revocations
from ltdkeeper.management.outcomes import ExitCode

NEXT = (
    "Written. It may take minutes until the store is seen to refuse the sessions: "
    "run write_revocations again."
)


def write(store: Store, session: boto3.session.Session | None) -> Written:
    """Write and try the decisions of a store, as the revoker. Raises AlreadyRunning."""
    clients = StoreClients(store=store, session=session, whose=Whose.REVOKER)
    return write_revocations(clients=clients, now=timezone.now(), wait=WAIT)


def lines(decisions: Sequence[Revocation]) -> Iterator[str]:
    for each in decisions:
        count = f"{each.session_count} session{'' if each.session_count == 1 else 's'}"
        ends = f"{each.ends_at:%F %T} UTC"
        yield f"{each.state:<10} {each} in {each.store}: {count}, the last ends {ends}"
        if each.problem:
            yield f"           ! {each.problem}"
    if any(each.state == Revocation.State.WRITTEN for each in decisions):
        yield NEXT


def summary(decisions: Sequence[Revocation]) -> str:
    """What came of them, so that a failure is not taken for the end of the sessions."""
    count = sum(each.session_count for each in decisions)
    if failed := count_failed(decisions):
        return (
            f"Revoked here: {count} session{'' if count == 1 else 's'}. The store may still accept "
            f"them: {failed} of {len(decisions)} revocations failed there. Fix what is named "
            "above, then run write_revocations."
        )
    return f"Revoked: {count} session{'' if count == 1 else 's'}."


def members(each: Revocation) -> dict[str, Any]:
    """For JSON."""
    return {
        "id": each.pk,
        "kind": each.kind,
        "target": each.target_name,
        "store": each.store.name,
        "state": each.state,
        "sessions": each.session_count,
        "reason": each.reason,
        "requested_by": each.requested_by,
        "requested_at": each.requested_at,
        "written_at": each.written_at,
        "verified_at": each.verified_at,
        "ends_at": each.ends_at,
        "problem": each.problem,
    }


def exit_code(decisions: Sequence[Revocation]) -> ExitCode:
    """What the store was not brought to do is work that could not be done."""
    return ExitCode.NOT_MADE if count_failed(decisions) else ExitCode.NOTHING_FOUND


def count_failed(decisions: Sequence[Revocation]) -> int:
    return sum(each.state == Revocation.State.FAILED for each in decisions)
