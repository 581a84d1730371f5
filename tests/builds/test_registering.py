"""A root is given once, for ever, and its build is open for a limited time."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from django.conf import settings
from django.db import OperationalError
from ulid import ULID

from builds.errors import SlugTaken
from builds.models import Build, Product
from builds.names import ULID_LENGTH
from builds.services import delete_build
from credentials.access import registrations
from credentials.access.callers import Caller
from credentials.models import AccessToken
from tests.builds.name_samples import HOSTILE

Register = Callable[..., Build]


def test_build_without_a_slug_is_given_a_ulid(register: Register, now: datetime) -> None:
    build = register()
    assert build.server_made
    assert build.slug == build.slug.lower()
    made_at = ULID.from_str(build.slug.upper()).datetime
    assert abs(made_at - now) < timedelta(milliseconds=2)
    assert (build.root, build.bucket_name) == (f"guide/builds/{build.slug}", "docs-bucket")
    assert build.state(now) == "open"


def test_build_keeps_what_the_client_said(register: Register) -> None:
    build = register("V1.0_rc-2", git_refs=["main", "v1"], github_requester="octocat")
    build.refresh_from_db()
    assert (build.slug, build.root) == ("V1.0_rc-2", "guide/builds/V1.0_rc-2")
    assert (build.git_refs, build.github_requester) == (["main", "v1"], "octocat")
    assert not build.server_made


def test_server_made_slugs_are_never_alike(register: Register) -> None:
    assert len({register().root for _ in range(50)}) == 50


DIFFERENT = {"case": ("v1", "V1"), "continued": ("1", "10"), "shortened": ("docs", "doc")}


@pytest.mark.parametrize("case", DIFFERENT)
def test_slugs_that_differ_at_all_are_two_builds(case: str, register: Register) -> None:
    first, second = (register(slug) for slug in DIFFERENT[case])
    assert first.root != second.root


def test_another_product_may_use_the_same_slug(
    register: Register, make_product: Callable[..., Product]
) -> None:
    first, second = register("v1"), register("v1", product=make_product("other"))
    assert (first.root, second.root) == ("guide/builds/v1", "other/builds/v1")


@pytest.mark.parametrize("tail", ["", "x", "-x", ".", "0", "-" * 38])
def test_slug_that_begins_with_a_server_made_one_is_refused(tail: str, register: Register) -> None:
    slug = register().slug
    with pytest.raises(SlugTaken):
        register(slug + tail)


def test_slug_that_continues_a_deleted_server_made_one_is_refused(
    register: Register, now: datetime
) -> None:
    build = register()
    delete_build(build_id=build.pk, now=now)
    with pytest.raises(SlugTaken):
        register(f"{build.slug}-x")


def test_slug_may_continue_one_that_a_client_chose(register: Register) -> None:
    chosen = "x" * ULID_LENGTH
    register(chosen)
    assert register(f"{chosen}-x").slug == f"{chosen}-x"


def test_slug_may_continue_a_server_made_one_of_another_product(
    register: Register, make_product: Callable[..., Product]
) -> None:
    slug = register(product=make_product("other")).slug
    assert register(f"{slug}-x").product.slug == "guide"


def test_hostile_slug_is_never_registered(register: Register) -> None:
    for name in filter(None, HOSTILE.values()):
        with pytest.raises(ValueError, match="not a legal"):
            register(name)
    assert not Build.objects.exists()


# key expires after -> open for (seconds)
WINDOWS = {
    "key without expiry": (None, 43_200),
    "key that outlives the window": (86_400, 43_200),
    "key that ends with the window": (43_200, 43_200),
    "key that ends sooner": (600, 600),
}


@pytest.mark.parametrize("case", WINDOWS)
def test_build_is_open_until_window_or_key_ends(
    case: str, register: Register, caller: Caller, now: datetime
) -> None:
    expires, expected = WINDOWS[case]
    caller.api_key.expires_at = now + timedelta(seconds=expires) if expires else None
    assert register().open_until == now + timedelta(seconds=expected)


def test_build_is_open_no_longer_than_the_session_that_registered_it(
    register: Register, caller: Caller, now: datetime
) -> None:
    session = AccessToken(expires_at=now + timedelta(seconds=600))
    shown = Caller(client=caller.client, api_key=caller.api_key, access_token=session)
    assert register(caller=shown).open_until == session.expires_at


def test_build_that_the_service_registers_is_open_for_the_window(
    register: Register, caller: Caller, now: datetime
) -> None:
    build = register(caller=Caller(client=caller.client))
    assert build.open_until == now + timedelta(seconds=43_200)


def test_window_is_the_setting(
    register: Register, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "LTD_UPLOAD_WINDOW_SECONDS", 300)
    assert register().open_until == now + timedelta(seconds=300)


def test_registration_names_client_and_token(register: Register, caller: Caller) -> None:
    note = register().registration
    assert (note.client, note.token_name) == (caller.client, f"ltdk_{caller.api_key.public_id}")
    assert str(note) == f"{note.build_id} by {note.token_name}"


@pytest.mark.django_db(transaction=True)
def test_build_without_its_owner_is_not_kept(
    register: Register, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_row: object) -> None:
        raise OperationalError("disk full")

    monkeypatch.setattr(registrations, "insert", refuse)
    with pytest.raises(OperationalError):
        register("v1")
    assert not Build.objects.exists()
