"""The last look before credentials leave: everything the right rests on, locked and read anew.

Finish, delete, disable and withdraw write the same rows, so each of them comes either wholly
before this look, which then sees it, or after the ledger row was committed. The locks are of the
kind that an UPDATE takes (`no_key`): a stronger one would wait for every new ledger row that
refers to the same client or build, and two such waits are a deadlock on PostgreSQL.
"""

from datetime import datetime
from typing import TypeVar

from django.db.models import Model, QuerySet

from builds.services import find_build, lock_build
from credentials.access.callers import Caller
from credentials.access.models import (
    ApiKey,
    Client,
    Grant,
    JobToken,
    KeySession,
    Registration,
    TrustedPublisher,
)
from credentials.access.ownership import closable_registrations, owned_registrations
from credentials.access.rights import usable_products

Row = TypeVar("Row", bound=Model)


def right_still_stands(
    *,
    caller: Caller,
    build_id: int,
    now: datetime,
    to_write: bool = True,
    lock: bool = True,
) -> bool:
    """Whether the caller may still have credentials for the build: to write, or to look at it.

    Runs inside a transaction. Locks client, key, publisher, token, build and grant, always in
    this order. With `lock=False` the same rows are only read anew: enough for who is served
    what was issued already, where hundreds at once would wait for each other's locks.
    """
    found = _read_anew(caller, lock=lock)
    build = (lock_build if lock else find_build)(build_id=build_id)
    if found is None or not found.is_alive(now) or not build.is_open(now):
        return False
    grants = Grant.objects.filter(client=found.client, product_id=build.product_id)
    granted = (grants.select_for_update(no_key=True) if lock else grants).first()
    mine = owned_registrations(found) if to_write else closable_registrations(found)
    return (
        granted is not None
        and usable_products(found).filter(pk=build.product_id).exists()
        and Registration.objects.filter(mine, build=build).exists()
    )


def _read_anew(caller: Caller, *, lock: bool) -> Caller | None:
    """The caller as the database has it now; None when a part of it is gone."""
    client = _again(Client.objects.all(), caller.client, lock=lock)
    key = _again(ApiKey.objects.all(), caller.api_key, lock=lock)
    publisher = _again(TrustedPublisher.objects.all(), caller.publisher, lock=lock)
    session = _again(KeySession.objects.all(), caller.key_session, lock=lock)
    job = _again(JobToken.objects.all(), caller.job_token, lock=lock)
    known = (caller.api_key, caller.publisher, caller.key_session, caller.job_token)
    found = (key, publisher, session, job)
    if client is None or any(a and not b for a, b in zip(known, found, strict=True)):
        return None
    if job:
        job.publisher = publisher
    return Caller(client=client, api_key=key, key_session=session, job_token=job)


def _again(rows: QuerySet[Row], known: Row | None, *, lock: bool) -> Row | None:
    """The row again, locked if asked for, or None when there was none or it is gone."""
    if known is None:
        return None
    return (rows.select_for_update(no_key=True) if lock else rows).filter(pk=known.pk).first()
