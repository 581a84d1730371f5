"""The confirmation that revokes sessions, and ends what they came from, in the admin."""

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from html import unescape
from typing import Any

import pytest
import time_machine
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.test import Client as Browser
from django.urls import reverse
from django.utils import timezone

from builds.models import Build, Store
from credentials.access.callers import Caller, Origin
from credentials.access.clients import start_job_token
from credentials.models import ApiKey, Client, Delivery, IssuedSession, JobToken, Revocation
from credentials.vending.issuing import issue_session
from tests.conftest import undone
from tests.fake_sts import FakeSts
from tests.ltdkeeper.admin.confirmation import ask, confirm

pytestmark = pytest.mark.django_db

Issue = Callable[..., IssuedSession]


@pytest.fixture
def issue(caller: Caller, sts: FakeSts) -> Issue:
    def make(build: Build, caller: Caller = caller) -> IssuedSession:
        fields = {"delivery": Delivery.JSON, "origin": Origin(), "now": timezone.now()}
        return issue_session(caller=caller, build_id=build.pk, **fields).row

    return make


@pytest.fixture
def session(issue: Issue, build: Build) -> IssuedSession:
    return issue(build)


def rows_of(session: IssuedSession) -> dict[str, Any]:
    """A row of each kind that the session can be revoked by."""
    assert session.build is not None
    product = session.build.product
    return {
        "session": session,
        "build": session.build,
        "api_key": ApiKey.objects.get(),
        "client": session.client,
        "product": product,
        "store": product.store,
    }


def page_of(kind: str, row: Any) -> str:
    return reverse("admin:revoke", args=[kind, row.pk])


def text_of(answer: Any) -> str:
    """What a person reads of a page."""
    assert answer.status_code == 200
    shown = re.sub(r"<[^>]*>", " ", answer.content.decode())
    return " ".join(unescape(shown).split())


def fields_of(answer: Any, **fields: Any) -> dict[str, Any]:
    """What the form of a page sends, with a reason."""
    shown = answer.content.decode()
    sent = dict(
        re.findall(r'<input type="(?:hidden|datetime-local)" name="(\w+)" value="([^"]*)', shown)
    )
    return {**sent, "reason": "leaked", **fields}


# Kind -> what its button says.
KINDS = {
    "session": "Revoke 1 session",
    "build": "Revoke 1 session",
    "api_key": "Revoke key and 1 session",
    "client": "Disable, and revoke 1 session",
    "product": "Revoke 1 session",
    "store": "Revoke 1 session",
}


def test_page_names_what_ends_and_one_button_ends_it(
    browser: Browser, session: IssuedSession
) -> None:
    for kind, button in KINDS.items():
        with undone():
            IssuedSession.objects.update(requested_at=session.requested_at - timedelta(minutes=1))
            address = page_of(kind, rows_of(session)[kind])
            asked = browser.get(address)
            assert session.access_key_id in text_of(asked), kind
            assert f'value="{button}"' in asked.content.decode(), kind
            browser.post(address, fields_of(asked))
            session.refresh_from_db()
            assert session.revocation is not None, kind
            decision = session.revocation
            assert (decision.kind, decision.reason, decision.requested_by) == (
                kind,
                "leaked",
                "operator",
            ), kind


def test_page_of_a_revoked_session_says_who_did_it_and_how_far_the_store_is(
    browser: Browser, session: IssuedSession
) -> None:
    browser.post(page_of("session", session), {"reason": "leaked"})
    shown = text_of(
        browser.get(reverse("admin:credentials_issuedsession_change", args=[session.pk]))
    )
    assert "by operator: leaked" in shown
    assert "waits for manage.py write_revocations" in shown


def test_page_of_each_row_leads_there(browser: Browser, session: IssuedSession) -> None:
    for kind, row in rows_of(session).items():
        page = reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[row.pk])
        assert f'href="{page_of(kind, row)}"' in browser.get(page).content.decode(), kind


def test_looking_and_asking_change_nothing(browser: Browser, session: IssuedSession) -> None:
    for address in (page_of("client", session.client), ask(browser, "revoke", session)):
        browser.get(address)
        assert "errornote" in browser.post(address, {"reason": " "}).content.decode()
    assert not Revocation.objects.exists()


def test_double_click_records_one_decision(browser: Browser, session: IssuedSession) -> None:
    address = page_of("client", session.client)
    sent = fields_of(browser.get(address))
    answers = [browser.post(address, sent, follow=True) for _ in range(2)]
    assert Revocation.objects.count() == 1
    assert "Revocation recorded: 1 session." in text_of(answers[0])
    said = "Disabled: client ci. No live session was left."
    assert said in text_of(answers[1])


@pytest.mark.parametrize(
    ("ticked", "ends"), [(["keys"], True), ([], False), (["keys", "may_go_on"], False)],
    ids=["keys", "nothing", "sessions alone"],
)  # fmt: skip
def test_keys_of_a_client_are_revoked_where_that_is_ticked(
    ticked: list[str],
    ends: bool,  # noqa: FBT001
    browser: Browser,
    session: IssuedSession,
) -> None:
    address, key = page_of("client", session.client), ApiKey.objects.get()
    sent = {**fields_of(browser.get(address)), **dict.fromkeys(ticked, "on")}
    said = text_of(browser.post(address, sent, follow=True))
    assert (f"Revoked: 1 API key ({key.token_name})." in said) is ends
    assert ApiKey.objects.filter(revoked_at=None).exists() is not ends
    session.client.refresh_from_db()
    assert session.client.is_active is ("may_go_on" in ticked)


def test_keys_are_ticked_unless_their_client_is_only_disabled(
    browser: Browser, session: IssuedSession
) -> None:
    asked = (
        ("revoke", page_of("client", session.client)),
        ("end", ask(browser, "disable", session.client)),
    )
    shown = {name: browser.get(address) for name, address in asked}
    label = f"Revoke 1 API key ({ApiKey.objects.get().token_name}) too"
    assert all(label in text_of(page) for page in shown.values())
    ticked = {name: page.context["form"]["keys"].initial for name, page in shown.items()}
    assert ticked == {"revoke": True, "end": False}


def test_session_that_expired_has_no_button(browser: Browser, session: IssuedSession) -> None:
    page = reverse("admin:credentials_issuedsession_change", args=[session.pk])
    assert page_of("session", session) in browser.get(page).content.decode()
    IssuedSession.objects.update(
        requested_at=session.requested_at - timedelta(days=2),
        completed_at=session.requested_at - timedelta(days=2),
        expires_at=session.requested_at - timedelta(days=1),
    )
    assert page_of("session", session) not in browser.get(page).content.decode()


def test_session_that_came_after_the_page_was_opened_ends_too(
    browser: Browser, session: IssuedSession, issue: Issue, build: Build
) -> None:
    address = page_of("client", session.client)
    sent = fields_of(browser.get(address))
    later = issue(build)
    browser.post(address, sent)
    later.refresh_from_db()
    assert later.revoked_at is not None


def test_other_time_is_counted_before_anything_is_revoked(
    browser: Browser, session: IssuedSession, now: datetime
) -> None:
    address = page_of("client", session.client)
    IssuedSession.objects.update(requested_at=now - timedelta(minutes=5))
    before = f"{now - timedelta(minutes=10):%Y-%m-%dT%H:%M:%S}"
    asked = browser.post(address, fields_of(browser.get(address), before=before))
    assert "Counted again for that time." in text_of(asked)
    assert 'value="Disable, and revoke 0 sessions"' in asked.content.decode()
    browser.post(address, fields_of(asked))
    assert not Revocation.objects.exists()


def test_time_is_suggested_as_a_browser_sends_it_back(store: Store, browser: Browser) -> None:
    for minute, sent in (("10:05:00", "10:05"), ("10:00:00", "10:00"), ("10:05:10", "10:05:10")):
        with time_machine.travel(f"2026-11-28T{minute}Z", tick=False):
            asked = browser.get(page_of("store", store))
        fields = fields_of(asked)
        assert "Empty: all that are live." not in text_of(asked)
        assert {fields["before"], fields["counted_before"]} == {f"2026-11-28T{sent}"}


def test_time_at_which_nothing_live_was_issued_is_refused(
    browser: Browser, session: IssuedSession
) -> None:
    for before in ("2020-01-01T00:00", "2999-01-01T00:00", "x"):
        sent = {"reason": "leaked", "before": before, "counted_before": before}
        answer = browser.post(page_of("client", session.client), sent)
        assert "errornote" in answer.content.decode(), before
        assert not Revocation.objects.exists(), before


def test_selected_sessions_are_revoked_together(
    browser: Browser, session: IssuedSession, issue: Issue, build: Build
) -> None:
    rows = [session, issue(build)]
    asked = browser.get(ask(browser, "revoke", *rows))
    assert 'value="Revoke 2 sessions"' in asked.content.decode()
    confirm(browser, "revoke", *rows)
    assert IssuedSession.objects.filter(revoked_at=None).count() == 0


def test_selection_that_left_the_list_is_said_to_be_gone(browser: Browser, build: Build) -> None:
    Build.objects.update(finished_at=timezone.now())
    sent = {"action": "mark_deleted", "_selected_action": build.pk}
    address = f"{reverse('admin:builds_build_changelist')}?state=open"
    assert "is not in this list any more." in text_of(browser.post(address, sent, follow=True))


def test_reason_that_was_typed_in_the_list_is_kept(browser: Browser, client_row: Client) -> None:
    asked = browser.get(ask(browser, "disable", client_row, reason="retired"))
    assert 'name="reason" value="retired"' in asked.content.decode()
    assert "retired" not in browser.get(page_of("client", client_row)).content.decode()


# Model, action -> whether its row has ended.


def job_token(caller: Caller, build: Build) -> JobToken:
    now = timezone.now()
    fields = {"client": caller.client, "api_key": caller.api_key, "now": now}
    return start_job_token(products=[build.product], **fields)[0]


ENDINGS: dict[str, tuple[str, Callable[[Caller, Build], Any], Callable[[Any], bool]]] = {
    "client": ("disable", lambda c, b: c.client, lambda row: not row.is_active),
    "api_key": ("revoke", lambda c, b: c.api_key, lambda row: row.revoked_at is not None),
    "job_token": ("revoke", job_token, lambda row: row.ended_at is not None),
    "build": ("mark_deleted", lambda c, b: b, lambda row: row.deleted_at is not None),
}


@pytest.mark.parametrize("box", ["ticked", "empty"])
def test_what_ends_may_take_its_sessions_along(
    box: str, browser: Browser, caller: Caller, register: Any, issue: Issue
) -> None:
    for kind, (action, row_of, has_ended) in ENDINGS.items():
        with undone():
            build, owner = register(), caller
            row = row_of(caller, build)
            if kind == "job_token":
                owner = Caller(client=caller.client, api_key=caller.api_key, job_token=row)
                build = register(caller=owner)
            session = issue(build, owner)
            confirm(browser, action, row, **({"sessions": "on"} if box == "ticked" else {}))
            row.refresh_from_db()
            session.refresh_from_db()
            assert has_ended(row), kind
            assert (session.revoked_at is not None) is (box == "ticked"), kind
            entry = LogEntry.objects.filter(object_id=str(row.pk), user__username="operator").last()
            assert entry is not None, kind
            assert "Reason: leaked" in entry.change_message, kind
        caller.client.refresh_from_db()


def test_nothing_ends_where_its_sessions_cannot_be_revoked(
    browser: Browser, session: IssuedSession, client_row: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(**_fields: Any) -> Any:
        raise RuntimeError

    monkeypatch.setattr("ltdkeeper.admin.revoke.revoke", broken)
    with pytest.raises(RuntimeError):
        confirm(browser, "disable", client_row, sessions="on")
    client_row.refresh_from_db()
    assert client_row.is_active


@pytest.fixture
def browser_with(db: None) -> Callable[..., Browser]:
    def log_in(*codenames: str) -> Browser:
        user = User.objects.create_user("+".join(codenames), is_staff=True)
        user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
        browser = Browser()
        browser.force_login(user)
        return browser

    return log_in


def test_who_may_not_revoke_is_offered_and_does_none_of_it(
    browser_with: Callable[..., Browser], session: IssuedSession, client_row: Client
) -> None:
    browser = browser_with("view_client", "change_client", "view_issuedsession")
    page = reverse("admin:credentials_client_change", args=[client_row.pk])
    assert "/admin/revoke/" not in browser.get(page).content.decode()
    assert browser.post(page_of("client", client_row), {"reason": "x"}).status_code == 403
    assert (
        'name="sessions"' not in browser.get(ask(browser, "disable", client_row)).content.decode()
    )
    confirm(browser, "disable", client_row, sessions="on")
    client_row.refresh_from_db()
    assert (client_row.is_active, Revocation.objects.exists()) == (False, False)


def test_who_may_revoke_but_not_change_disables_nobody(
    browser_with: Callable[..., Browser], client_row: Client
) -> None:
    browser = browser_with("view_client", "revoke_issuedsession")
    address = f"{reverse('admin:end', args=['client'])}?key={client_row.pk}"
    assert browser.post(address, {"reason": "leaked"}).status_code == 403
    client_row.refresh_from_db()
    assert client_row.is_active


def test_form_without_its_token_is_refused(session: IssuedSession) -> None:
    strict = Browser(enforce_csrf_checks=True)
    strict.force_login(User.objects.create_superuser("root"))
    address = page_of("session", session)
    assert strict.post(address, {"reason": "leaked"}).status_code == 403
    assert not Revocation.objects.exists()


NOWHERE = [
    *("revoke/client/x/", "revoke/client/0/", "revoke/nothing/1/", "revoke/client/", "end/store/"),
    *("end/client/?key=x", "end/client/?key=%00"),
]


def test_what_is_not_there_is_not_found(browser: Browser, client_row: Client) -> None:
    for path in NOWHERE:
        assert browser.get(f"/admin/{path}").status_code in {400, 404}, path


def test_reason_is_one_line_and_shown_as_text(browser: Browser, session: IssuedSession) -> None:
    address = page_of("session", session)
    assert "errornote" in browser.post(address, {"reason": "a\u2028b"}).content.decode()
    answer = browser.post(address, {"reason": "<b>leak</b>"}, follow=True)
    assert "&lt;b&gt;leak" in answer.content.decode()


def test_page_costs_the_same_for_one_session_and_for_forty(
    browser: Browser, session: IssuedSession, issue: Issue, build: Build,
    django_assert_max_num_queries: Callable[..., Any],
) -> None:  # fmt: skip
    for _ in range(40):
        issue(build)
    with django_assert_max_num_queries(12):
        shown = browser.get(page_of("client", session.client))
    assert "And 21 more." in text_of(shown)


def test_page_of_many_rows_costs_as_much_as_of_one(
    browser: Browser, issue: Issue, build: Build, django_assert_max_num_queries: Callable[..., Any]
) -> None:
    address = ask(browser, "revoke", *(issue(build) for _ in range(30)))
    with django_assert_max_num_queries(12):
        assert "30 sessions live" in text_of(browser.get(address))
