"""What operators do, in a process of its own: a line a deed, answered when it is done.

`disable CLIENT`, `enable CLIENT`, `end PUBLIC_ID` (of a job token), `revoke BUILD_ID` (its
sessions), and `register COUNT SHARED`: so many builds of the product, and as many under names for
which others compete.
"""

import sys

import django

django.setup()

from django.db import transaction  # noqa: E402
from django.utils import timezone  # noqa: E402

from builds.errors import SlugTaken  # noqa: E402
from builds.models import Build, Product  # noqa: E402
from credentials.access.callers import Caller  # noqa: E402
from credentials.access.clients import revoke_job_token  # noqa: E402
from credentials.access.registrations import register_owned_build  # noqa: E402
from credentials.access.revocations import record_revocation  # noqa: E402
from credentials.models import ApiKey, Client, IssuedSession, JobToken, Revocation  # noqa: E402


def register(count: int, shared: int) -> None:
    key = ApiKey.objects.select_related("client").get()
    product = Product.objects.select_related("store").get()
    caller = Caller(client=key.client, api_key=key)
    options = {"caller": caller, "product": product, "git_refs": ["main"], "github_requester": ""}
    for slug in [*(f"shared-{number}" for number in range(shared)), *[None] * count]:
        try:
            register_owned_build(slug=slug, now=timezone.now(), **options)
        except SlugTaken:
            assert slug  # another process was first


def revoke(build_id: int) -> None:
    build, now = Build.objects.with_store().get(pk=build_id), timezone.now()
    decision = Revocation(
        kind=Revocation.Kind.BUILD,
        target_name=build.root,
        store=build.product.store,
        reason="a test",
        requested_by="an operator",
        requested_at=now,
    )
    with transaction.atomic():
        sessions = IssuedSession.objects.for_build(build).active(now)
        record_revocation(sessions=sessions, revocation=decision)


def act(deed: str, name: str, *more: str) -> None:
    if deed == "register":
        register(int(name), int(more[0]))
    elif deed == "revoke":
        revoke(int(name))
    elif deed == "end":
        revoke_job_token(job_token=JobToken.objects.get(public_id=name), now=timezone.now())
    else:
        Client.objects.filter(name=name).update(is_active=deed == "enable")


for line in sys.stdin:
    act(*line.split())
    sys.stdout.write("done\n")
    sys.stdout.flush()
