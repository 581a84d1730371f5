"""The last look before credentials leave: everything the right rests on, locked and read anew.

Finish, delete, disable and withdraw write the same rows, so each of them comes either wholly
before this look, which then sees it, or after the ledger row was committed.
"""

from datetime import datetime

from builds.services import lock_build
from credentials.access.callers import Caller
from credentials.access.models import ApiKey, Client, Grant, KeySession, Registration


def right_still_stands(*, caller: Caller, build_id: int, now: datetime) -> bool:
    """Whether the caller may still have credentials for the build.

    Runs inside a transaction. Locks client, key, build and grant, always in this order.
    """
    client = Client.objects.select_for_update().filter(pk=caller.client.pk).first()
    key = ApiKey.objects.select_for_update().filter(pk=caller.api_key.pk).first()
    build = lock_build(build_id=build_id)
    grants = Grant.objects.select_for_update()
    granted = grants.filter(client_id=caller.client.pk, product_id=build.product_id).first()
    return (
        client is not None
        and client.is_active
        and key is not None
        and key.is_usable(now)
        and _session_alive(caller, now)
        and granted is not None
        and build.is_open(now)
        and Registration.objects.filter(build=build, client=client).exists()
    )


def _session_alive(caller: Caller, now: datetime) -> bool:
    if caller.key_session is None:
        return True
    return KeySession.objects.filter(pk=caller.key_session.pk, expires_at__gt=now).exists()
