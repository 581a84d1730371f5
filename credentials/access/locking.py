"""The last look before credentials leave: everything the right rests on, locked and read anew.

Finish, delete, disable and withdraw write the same rows, so each of them comes either wholly
before this look, which then sees it, or after the ledger row was committed. The locks are of the
kind that an UPDATE takes (`no_key`): a stronger one would wait for every new ledger row that
refers to the same client or build, and two such waits are a deadlock on PostgreSQL.
"""

from datetime import datetime
from typing import TypeVar

from django.db.models import Model, QuerySet

from builds.services import lock_build
from credentials.access.callers import Caller
from credentials.access.models import ApiKey, Client, Grant, KeySession, Registration

Row = TypeVar("Row", bound=Model)


def right_still_stands(*, caller: Caller, build_id: int, now: datetime) -> bool:
    """Whether the caller may still have credentials for the build.

    Runs inside a transaction. Locks client, key, build and grant, always in this order.
    """
    locked = _locked_caller(caller)
    build = lock_build(build_id=build_id)
    grants = Grant.objects.select_for_update(no_key=True)
    granted = grants.filter(client_id=caller.client.pk, product_id=build.product_id).first()
    return (
        locked is not None
        and locked.is_alive(now)
        and granted is not None
        and build.is_open(now)
        and Registration.objects.filter(build=build, client=locked.client).exists()
    )


def _locked_caller(caller: Caller) -> Caller | None:
    """The caller as the database has it now, locked; None when a part of it is gone."""
    client = Client.objects.select_for_update(no_key=True).filter(pk=caller.client.pk).first()
    key = _locked(ApiKey.objects.all(), caller.api_key)
    session = _locked(KeySession.objects.all(), caller.key_session)
    lost_key = caller.api_key is not None and key is None
    lost_session = caller.key_session is not None and session is None
    if client is None or lost_key or lost_session:
        return None
    return Caller(client=client, api_key=key, key_session=session)


def _locked(rows: QuerySet[Row], known: Row | None) -> Row | None:
    """The row again, locked, or None when there was none or it is gone."""
    return rows.select_for_update(no_key=True).filter(pk=known.pk).first() if known else None
