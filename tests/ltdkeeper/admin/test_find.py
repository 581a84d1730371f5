"""The search box: straight to the only row, else what was found; never what was pasted."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from unittest.mock import patch

import pytest
from django.contrib.auth.models import Permission, User
from django.http import HttpResponse
from django.test import Client as Browser
from django.urls import reverse
from django.utils import timezone

from builds.models import Build, Product
from credentials.access.callers import Caller
from credentials.access.clients import start_access_token
from credentials.models import AccessToken, IssuedSession, LedgerExport, Refusal, new_ledger_id
from credentials.operations.findings import Finding
from credentials.operations.runs import recorded_run
from tests.conftest import raw_key
from tests.credentials.ledger_rows import issued_row

pytestmark = pytest.mark.django_db

SECRET = "0f" * 32


def find(browser: Browser, text: str) -> HttpResponse:
    answer: HttpResponse = browser.post(reverse("admin:find"), {"text": text})
    return answer


def shown(answer: HttpResponse) -> str:
    assert answer.status_code == 200
    return " ".join(answer.content.decode().split())


@pytest.fixture
def session(build: Build) -> IssuedSession:
    return issued_row(build=build, root=build.root, build_slug=build.slug)


@pytest.fixture
def viewer(db: None) -> Callable[..., Browser]:
    """A browser of a member of staff who may view these models."""

    def log_in(*models: str) -> Browser:
        user = User.objects.create_user("viewer", is_staff=True)
        names = [f"view_{model}" for model in models]
        user.user_permissions.set(Permission.objects.filter(codename__in=names))
        browser = Browser()
        browser.force_login(user)
        return browser

    return log_in


def test_only_hit_is_gone_to(browser: Browser, session: IssuedSession) -> None:
    answer = find(browser, f' "accessKeyId": "{session.access_key_id}",')
    expected = reverse("admin:credentials_issuedsession_change", args=[session.pk])
    assert (answer.status_code, answer["Location"]) == (302, expected)


def test_key_of_an_object_leads_to_its_build(browser: Browser, build: Build) -> None:
    answer = find(browser, f"s3://docs-bucket/{build.root}/index.html")
    assert answer["Location"] == reverse("admin:builds_build_change", args=[build.pk])


def test_access_token_leads_to_its_key(browser: Browser, caller: Caller) -> None:
    start_access_token(caller=caller, now=caller.client.created_at)
    answer = find(browser, AccessToken.objects.get().token_name)
    key = caller.api_key
    assert key
    assert answer["Location"] == reverse("admin:credentials_apikey_change", args=[key.pk])


def test_several_hits_are_listed_by_kind(browser: Browser, build: Build) -> None:
    Build.objects.filter(pk=build.pk).update(git_ref="guide")
    page = shown(find(browser, "guide"))
    for heading, row in (("branch or tag", build), ("product", build.product)):
        assert f"Found as {heading}" in page
        name = f"admin:builds_{row._meta.model_name}_change"
        assert reverse(name, args=[row.pk]) in page


def test_several_hits_have_a_link_that_revokes_for_whoever_may(
    browser: Browser, viewer: Callable[..., Browser], build: Build
) -> None:
    Build.objects.filter(pk=build.pk).update(git_ref="guide")
    addresses = [reverse("admin:revoke", args=["build", build.pk])]
    addresses += [reverse("admin:revoke", args=["product", build.product.pk])]
    page, seen = (shown(find(each, "guide")) for each in (browser, viewer("build", "product")))
    assert [address in page for address in addresses] == [True, True]
    assert "revoke" not in seen.split("keeper-hits", 1)[1]


def test_product_of_an_unknown_build_is_linked_and_explained(
    browser: Browser, product: Product
) -> None:
    page = shown(find(browser, "guide/builds/never/index.html"))
    assert "No build that is known here has this root. Its product is known:" in page
    assert reverse("admin:builds_product_change", args=[product.pk]) in page


def test_miss_names_the_kinds_and_not_the_text(browser: Browser) -> None:
    page = shown(find(browser, "no-such-thing"))
    assert "It was looked up as: build slug, branch or tag, workflow, product, client" in page
    assert "no-such-thing" not in page


@pytest.mark.parametrize("text", ["ASIA5YGZIDLCJQ2VM7PX", "no-such-thing"])
def test_miss_of_a_session_names_exports(text: str, browser: Browser) -> None:
    now, key = timezone.now(), new_ledger_id()
    LedgerExport.objects.create(
        file_name="old.gz",
        first_id=key,
        last_id=key,
        sha256="0" * 64,
        **dict.fromkeys(("begun_at", "until", "finished_at"), now),
    )
    assert ("old.gz, " in shown(find(browser, text))) is text.startswith("ASIA")


@pytest.mark.parametrize("text", ["", SECRET, "?", "\0"])
def test_what_has_no_form_is_said_to_have_none(text: str, browser: Browser) -> None:
    assert "This has the form of nothing that can be looked up" in shown(find(browser, text))


def test_many_hits_are_cut(browser: Browser) -> None:
    for _ in range(21):
        issued_row(sts_request_id="tx00000d5-006926f-1037-default")
    page = shown(find(browser, "tx00000d5-006926f-1037-default"))
    assert "Only 20 are shown" in page
    assert page.count(reverse("admin:credentials_issuedsession_changelist") + "0") == 20


@pytest.mark.parametrize(
    ("models", "found"),
    [
        ((), set()),
        (("build",), {"build"}),
        (("build", "issuedsession"), {"build", "issuedsession"}),
    ],
    ids=["nothing", "builds", "builds and sessions"],
)
def test_only_what_one_may_view_is_found(
    models: tuple[str, ...],
    found: set[str],
    viewer: Callable[..., Browser],
    session: IssuedSession,
) -> None:
    signed = f"https://s3.example.org/docs-bucket/{session.root}/a?X-Amz-Credential="
    answer = find(viewer(*models), f"{signed}{session.access_key_id}/20261126")
    text = answer.content.decode() + answer.get("Location", "")
    pages = {"build": "/builds/build/", "issuedsession": "/issuedsession/"}
    assert {
        model for model, page in pages.items() if f"{page}{PAGE_OF[model](session)}" in text
    } == found


PAGE_OF: dict[str, Callable[[IssuedSession], object]] = {
    "build": lambda session: session.build_id,
    "issuedsession": lambda session: session.pk,
}


@pytest.mark.parametrize("around", ["{}", "Authorization: Bearer {}", "{} and more"])
def test_secret_of_a_token_is_neither_shown_nor_logged_nor_in_an_address(
    around: str, browser: Browser, caller: Caller, caplog: pytest.LogCaptureFixture
) -> None:
    token = raw_key(caller)
    secret = token.rpartition("_")[2]
    answer = find(browser, around.format(token))
    assert answer["Location"].startswith("/admin/credentials/apikey/")
    miss = find(browser, around.format(f"ltdk_000000000000_{secret}"))
    assert secret not in f"{shown(miss)}{answer['Location']}{caplog.text}"


@pytest.mark.parametrize("debug", [False, True])
def test_error_page_does_not_have_the_text(debug: bool, browser: Browser, settings: object) -> None:  # noqa: FBT001
    settings.DEBUG = debug  # type: ignore[attr-defined]
    browser.raise_request_exception = False
    with patch("ltdkeeper.admin.find.look_up", side_effect=RuntimeError("broken")):
        answer = find(browser, f"ltdk_000000000000_{SECRET}")
    assert answer.status_code == 500
    assert SECRET not in answer.content.decode()


def test_text_in_an_address_is_not_read(browser: Browser, session: IssuedSession) -> None:
    answer = browser.get(reverse("admin:find"), {"text": session.access_key_id})
    assert session.access_key_id not in shown(answer)


def test_page_is_not_stored(browser: Browser) -> None:
    assert "no-store" in find(browser, "guide")["Cache-Control"]


def test_without_a_csrf_token_nothing_is_found(browser: Browser, session: IssuedSession) -> None:
    strict = Browser(enforce_csrf_checks=True)
    strict.cookies = browser.cookies
    assert find(strict, session.access_key_id).status_code == 403


def test_address_that_was_only_refused_opens_its_refused_calls(browser: Browser) -> None:
    now = timezone.now()
    for reason in ("invalid_credentials", "not_granted"):
        counted = {"reason": reason, "calls": 9, "last_at": now}
        Refusal.objects.create(hour=now, network="203.0.113.9", **counted)
    answer = find(browser, "203.0.113.9")
    assert answer["Location"] == "/admin/credentials/refusal/?address=203.0.113.9"
    assert browser.get(answer["Location"]).status_code == 200


MOST_QUERIES = 12


@pytest.mark.parametrize("text", ["a" * 40, "guide-and-some-more", "guide", "1234567"])
def test_whatever_a_text_may_be_few_queries_are_made(
    text: str,
    viewer: Callable[..., Browser],
    build: Build,
    django_assert_max_num_queries: Callable[..., AbstractContextManager[object]],
) -> None:
    Build.objects.update(git_ref="guide")
    browser = viewer("build", "product", "client", "user", "issuedsession", "jobtoken")
    with django_assert_max_num_queries(MOST_QUERIES):
        find(browser, text)


def test_findings_about_an_unknown_access_key_are_shown(viewer: Callable[..., Browser]) -> None:
    key = "ASIA5YGZIDLCJQ2VM7PX"
    with recorded_run("audit_cloudtrail") as run:
        unknown = Finding(rule="assume_role_unknown", what="strange", access_key_id=key)
        list(run.keep([unknown]))
    page = shown(find(viewer("auditfinding"), key))
    assert "error assume_role_unknown</a>" in page
    assert "Nothing that you may look at" not in page
    User.objects.all().delete()
    assert "assume_role_unknown" not in shown(find(viewer("issuedsession"), key))
