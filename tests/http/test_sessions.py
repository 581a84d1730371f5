"""The operators' part of the API: the admin's login with its CSRF token counts, nothing else."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client as Browser
from django.utils import timezone

from builds.models import Build
from credentials.access.callers import Caller, Origin
from credentials.models import ApiKey, Delivery, IssuedSession, Revocation
from credentials.operations.retention import compact_policies
from credentials.vending.issuing import issue_session
from tests.conftest import raw_key
from tests.fake_sts import FakeSts

pytestmark = pytest.mark.django_db

# In the cookie and in the header: what a page of the admin's own sends.
CSRF_TOKEN = "a" * 32


@pytest.fixture
def session(caller: Caller, build: Build, sts: FakeSts) -> IssuedSession:
    fields = {"delivery": Delivery.JSON, "origin": Origin(), "now": timezone.now()}
    return issue_session(caller=caller, build_id=build.pk, **fields).row


def log_in(*codenames: str, is_staff: bool = True) -> Browser:
    user = User.objects.create_user("ada", is_staff=is_staff)
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    browser = Browser(enforce_csrf_checks=True)
    browser.force_login(user)
    return browser


def post(browser: Browser, path: str, *, csrf: bool = True, **body: Any) -> Any:
    browser.cookies["csrftoken"] = CSRF_TOKEN
    headers = {"X-CSRFToken": CSRF_TOKEN} if csrf else {}
    body = {"reason": "leaked", **body}
    return browser.post(path, body, content_type="application/json", headers=headers)


def addresses(session: IssuedSession) -> dict[str, dict[str, Any]]:
    return {
        f"/sessions/{session.pk}/revoke": {},
        "/sessions/revoke": {"kind": "client", "name": session.client_name},
    }


def test_record_of_a_session_has_its_revocation_and_no_secret(
    session: IssuedSession, sts: FakeSts
) -> None:
    browser = log_in("view_issuedsession", "revoke_issuedsession")
    post(browser, f"/sessions/{session.pk}/revoke")
    answer = browser.get(f"/sessions/{session.pk}")
    assert answer.status_code == 200
    record = answer.json()
    assert (record["id"], record["access_key_id"]) == (session.pk, session.access_key_id)
    assert (record["revocation"]["state"], record["revocation"]["reason"]) == (
        "requested",
        "leaked",
    )
    assert answer["Cache-Control"] == "no-store"
    assert not any(secret in answer.content.decode() for secret in sts.secrets)


def test_record_has_the_policy_that_was_compacted(session: IssuedSession) -> None:
    list(compact_policies(before=timezone.now() + timedelta(days=1)))
    assert not IssuedSession.objects.get().policy
    record = log_in("view_issuedsession").get(f"/sessions/{session.pk}").json()
    assert record["policy"] == session.policy


@pytest.mark.parametrize("number", [0, 1], ids=["one session", "a client's"])
def test_dry_run_says_what_the_next_call_revokes(number: int, session: IssuedSession) -> None:
    browser = log_in("revoke_issuedsession")
    path, body = list(addresses(session).items())[number]
    tried = post(browser, path, **body, dry_run=True).json()
    assert not Revocation.objects.exists()
    done = post(browser, path, **body).json()
    [made] = done["revocations"]
    assert (made["state"], made["requested_by"]) == ("requested", "ada")
    for answer, dry in ((tried, True), (done, False)):
        assert (answer["dry_run"], answer["session_count"]) == (dry, 1)
        assert answer["sessions"][0]["access_key_id"] == session.access_key_id
        assert answer["builds"] == [session.root]
    assert post(browser, path, **body).json()["revocations"] == []


def test_what_asked_for_it_ends_unless_it_may_go_on(session: IssuedSession) -> None:
    browser = log_in("revoke_issuedsession")
    path = f"/sessions/{session.pk}/revoke"
    assert post(browser, path, may_go_on=True).json()["tokens"] == []
    assert ApiKey.objects.get().revoked_at is None


def test_key_that_asked_for_it_is_revoked(session: IssuedSession) -> None:
    answer = post(log_in("revoke_issuedsession"), f"/sessions/{session.pk}/revoke").json()
    key = ApiKey.objects.get()
    assert (answer["tokens"], key.revoked_at is not None) == ([key.token_name], True)


REFUSED: dict[str, tuple[Callable[[], Browser], bool, str]] = {
    "nobody": (lambda: Browser(enforce_csrf_checks=True), False, "not_authenticated"),
    "without the CSRF token": (lambda: log_in("revoke_issuedsession"), False, "forbidden"),
    "without the permission": (lambda: log_in("view_issuedsession"), True, "forbidden"),
    "not staff": (lambda: log_in("revoke_issuedsession", is_staff=False), True, "forbidden"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_others_revoke_nothing(case: str, session: IssuedSession) -> None:
    visitor, csrf, code = REFUSED[case]
    browser = visitor()
    for path, body in addresses(session).items():
        answer = post(browser, path, csrf=csrf, **body)
        assert (answer.status_code, answer.json()["code"]) == (403, code)
    assert not Revocation.objects.exists()


def test_no_token_counts(session: IssuedSession, caller: Caller) -> None:
    token = Browser(headers={"authorization": f"Bearer {raw_key(caller)}"})
    answers = [token.get(f"/sessions/{session.pk}")]
    for path, body in addresses(session).items():
        answers.append(token.post(path, {"reason": "x", **body}, content_type="application/json"))
    assert [(each.status_code, each.json()["code"]) for each in answers] == [
        (403, "not_authenticated")
    ] * 3


def test_form_of_another_site_is_refused(session: IssuedSession) -> None:
    browser = log_in("revoke_issuedsession")
    page = browser.get("/admin/password_change/")
    headers = {"origin": "https://evil.example.org", "X-CSRFToken": str(page.context["csrf_token"])}
    path = f"/sessions/{session.pk}/revoke"
    sent = {"reason": "leaked"}
    answer = browser.post(path, sent, content_type="application/json", headers=headers)
    assert answer.status_code == 403
    assert not Revocation.objects.exists()


def test_who_may_only_revoke_reads_no_record(session: IssuedSession) -> None:
    assert log_in("revoke_issuedsession").get(f"/sessions/{session.pk}").status_code == 403


WRONG: dict[str, tuple[str, dict[str, Any], int, str]] = {
    "unknown session": (f"/sessions/{'0' * 26}/revoke", {}, 404, "unknown_target"),
    "odd session": ("/sessions/%00/revoke", {}, 404, "not_found"),
    "unknown client": (
        "/sessions/revoke", {"kind": "client", "name": "nobody"}, 404, "unknown_target"
    ),
    "query": ("/sessions/revoke?dry_run=1", {"kind": "client", "name": "ci"}, 400,
              "invalid_request"),
    "unknown kind": ("/sessions/revoke", {"kind": "bucket", "name": "x"}, 400, "invalid_request"),
    "no reason": ("/sessions/revoke", {"kind": "client", "name": "ci", "reason": ""}, 400,
                  "invalid_request"),
    "misspelt": ("/sessions/revoke", {"kind": "client", "name": "ci", "dry-run": True}, 400,
                 "invalid_request"),
    "store without a time": ("/sessions/revoke", {"kind": "store", "name": "main"}, 400,
                             "store_needs_time"),
    "no year of a session": (
        "/sessions/revoke",
        {"kind": "store", "name": "main", "before": "0001-01-01T00:00:00Z"},
        400,
        "invalid_request",
    ),
}  # fmt: skip


def test_wrong_request_is_refused_in_a_sentence(session: IssuedSession) -> None:
    browser = log_in("revoke_issuedsession")
    for case, (path, body, status, code) in WRONG.items():
        answer = post(browser, path, **body)
        assert (answer.status_code, answer.json()["code"]) == (status, code), case
        assert not Revocation.objects.exists(), case


def test_unknown_method_is_refused(session: IssuedSession) -> None:
    browser = log_in("view_issuedsession", "revoke_issuedsession")
    browser.cookies["csrftoken"] = CSRF_TOKEN
    for method in ("PUT", "PATCH", "DELETE", "TRACE"):
        for path in addresses(session):
            answer = browser.generic(method, path, headers={"X-CSRFToken": CSRF_TOKEN})
            assert (answer.status_code, answer["Allow"]) == (405, "POST, OPTIONS"), (method, path)


def test_session_that_is_not_there_is_not_found(session: IssuedSession) -> None:
    browser = log_in("view_issuedsession")
    for name in ("0" * 26, "x", "revoke"):
        assert browser.get(f"/sessions/{name}").status_code in {404, 405}
