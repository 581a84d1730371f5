"""A build belongs to who registered it: the client, through any of its keys."""

from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef

from builds.errors import UnknownBuild
from builds.models import Build, Product
from builds.services import delete_build, register_build
from credentials.access.callers import Caller
from credentials.access.models import Grant, Registration
from credentials.errors import NotYourBuild, ProductNotGranted


def register_owned_build(
    *,
    caller: Caller,
    product: Product,
    slug: str | None,
    git_refs: list[str],
    github_requester: str,
    now: datetime,
) -> Build:
    """A new build and the note of who owns it, in one transaction. Raises SlugTaken."""
    with transaction.atomic():
        build = register_build(
            product=product,
            slug=slug,
            git_refs=git_refs,
            github_requester=github_requester,
            open_until=_open_until(caller, now),
            now=now,
        )
        Registration.objects.create(build=build, client=caller.client, token_name=caller.token_name)
        return build


def _open_until(caller: Caller, now: datetime) -> datetime:
    """The end of the upload window, or of the token that was shown if that is sooner."""
    window = now + timedelta(seconds=settings.LTD_UPLOAD_WINDOW_SECONDS)
    return min(window, caller.expires_at or window)


def granted_build(*, caller: Caller, build_id: int) -> Build:
    """A build the caller may see. Raises UnknownBuild, ProductNotGranted."""
    build, _ = _find_with_rights(caller, build_id)
    return build


def owned_build(*, caller: Caller, build_id: int) -> Build:
    """A build the caller may change. Raises UnknownBuild, ProductNotGranted, NotYourBuild."""
    build, is_owner = _find_with_rights(caller, build_id)
    if not is_owner:
        raise NotYourBuild
    return build


def _find_with_rights(caller: Caller, build_id: int) -> tuple[Build, bool]:
    """A granted build and whether the caller's client registered it, in one query."""
    grants = Grant.objects.filter(client=caller.client, product=OuterRef("product"))
    owned = Registration.objects.filter(client=caller.client, build=OuterRef("pk"))
    rights = Build.objects.with_store().annotate(granted=Exists(grants), owned=Exists(owned))
    build = rights.filter(pk=build_id).first()
    if build is None:
        raise UnknownBuild
    if not build.granted:  # type: ignore[attr-defined]
        raise ProductNotGranted
    return build, build.owned  # type: ignore[attr-defined]


def delete_owned_build(*, caller: Caller, build_id: int, now: datetime) -> Build:
    """Mark the caller's build as deleted. Raises as `owned_build` does."""
    owned_build(caller=caller, build_id=build_id)
    return delete_build(build_id=build_id, now=now)
