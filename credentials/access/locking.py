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
    *, caller: Caller, build_id: int, now: datetime, to_write: bool = True
) -> bool:
    """Whether the caller may still have credentials for the build: to write, or to look at it.

    Runs inside a transaction. Locks client, key, publisher, token, build and grant, always in
    this order.
    """
    locked = _locked_caller(caller)
    build = lock_build(build_id=build_id)
    if locked is None or not locked.is_alive(now) or not build.is_open(now):
        return False
    grants = Grant.objects.select_for_update(no_key=True)
    granted = grants.filter(client=locked.client, product_id=build.product_id).first()
    mine = owned_registrations(locked) if to_write else closable_registrations(locked)
    return (
        granted is not None
        and usable_products(locked).filter(pk=build.product_id).exists()
        and Registration.objects.filter(mine, build=build).exists()
    )


def _locked_caller(caller: Caller) -> Caller | None:
    """The caller as the database has it now, locked; None when a part of it is gone."""
    client = _locked(Client.objects.all(), caller.client)
    key = _locked(ApiKey.objects.all(), caller.api_key)
    publisher = _locked(TrustedPublisher.objects.all(), caller.publisher)
    session = _locked(KeySession.objects.all(), caller.key_session)
    job = _locked(JobToken.objects.all(), caller.job_token)
    known = (caller.api_key, caller.publisher, caller.key_session, caller.job_token)
    found = (key, publisher, session, job)
    if client is None or any(a and not b for a, b in zip(known, found, strict=True)):
        return None
    if job:
        job.publisher = publisher
    return Caller(client=client, api_key=key, key_session=session, job_token=job)


def _locked(rows: QuerySet[Row], known: Row | None) -> Row | None:
    """The row again, locked, or None when there was none or it is gone."""
    return rows.select_for_update(no_key=True).filter(pk=known.pk).first() if known else None
