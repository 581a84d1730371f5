"""What viewers, operators and administrators open and do in the admin: all pages and actions."""

from collections.abc import Callable
from datetime import datetime
from importlib import import_module
from types import SimpleNamespace
from typing import Any

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth.management import create_permissions
from django.contrib.auth.models import Group, Permission, User
from django.db import connection
from django.db.models import Model
from django.test import Client as Browser
from django.test import RequestFactory

from builds.models import Build, Store
from credentials.models import JobRun
from credentials.operations.isolation.checking import request_check
from ltdkeeper.admin.links import page_address
from tests.ltdkeeper.admin.confirmation import confirm
from tests.ltdkeeper.test_admin_rights import (
    ACTIONS,
    EXTRA,
    NOBODY,
    ONE,
    SITE,
    is_opened,
    path_to,
    routes,
    rows,
)

__all__ = ["rows"]

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite, pytest.mark.usefixtures("groups")]

GROUPS = ("viewer", "operator", "administrator")
PAGES = {
    "see": ("", f"{ONE}/change/", f"{ONE}/history/", "export/<str:form>/"),
    "add": ("add/",),
    "delete": (f"{ONE}/delete/",),
}
# Model -> which of these pages a viewer, an operator and an administrator open.
OPENS: dict[str, tuple[str, str, str]] = {
    "builds/store": ("see", "see", "see add delete"),
    "builds/product": ("see", "see", "see add delete"),
    "builds/build": ("see", "see", "see"),
    "credentials/client": ("see", "see", "see add"),
    "credentials/apikey": ("see", "see", "see add"),
    "credentials/jobtoken": ("see", "see", "see"),
    "credentials/isolationrun": ("see", "see", "see"),
    "credentials/issuedsession": ("see", "see", "see"),
    "credentials/refusal": ("see", "see", "see"),
    "credentials/revocation": ("see", "see", "see"),
    "credentials/jobrun": ("see", "see", "see"),
    "credentials/auditfinding": ("see", "see", "see"),
    "credentials/ledgerexport": ("see", "see", "see"),
    "credentials/oidcissuer": ("see", "see", "see add delete"),
    "credentials/trustedpublisher": ("see", "see", "see add"),
    "credentials/webhook": ("see", "see", "see add"),
    "credentials/webhookdelivery": ("see", "see", "see"),
    "auth/user": ("", "", "see add"),
    "auth/group": ("", "", "see"),
}
# Model -> the actions of an operator; a viewer has none, an administrator all but these.
OPERATES: dict[str, set[str]] = {
    "builds/store": {"check_isolation"},
    "credentials/apikey": {"revoke"},
    "credentials/jobtoken": {"revoke"},
    "credentials/issuedsession": {"revoke"},
    "credentials/auditfinding": {"acknowledge", "withdraw"},
    "credentials/webhookdelivery": {"send_again"},
}
# Confirmations that are not for everybody.
CONFIRMATIONS = {
    "viewer": {"revoke/<str:kind>/", "revoke/<str:kind>/<str:key>/", "end/<str:kind>/"},
    "operator": {"end/<str:kind>/"},
}
SUPERUSERS_ONLY = {("auth/group", "delete_selected")}


@pytest.fixture
def member(db: None) -> Callable[[str], User]:
    """Somebody of a group, who has no other right."""

    def make(group: str) -> User:
        user = User.objects.create_user(f"a {group}", is_staff=True)
        user.groups.add(Group.objects.get(name=group))
        return user

    return make


@pytest.mark.parametrize("group", GROUPS)
def test_each_group_opens_these_pages_and_no_others(
    group: str, rows: dict[str, Model], member: Callable[[str], User]
) -> None:
    user, place = member(group), GROUPS.index(group)
    expected = {route for route, who in SITE.items() if who != NOBODY}
    expected -= CONFIRMATIONS.get(group, set())
    expected |= {f"{model}/{ONE}/" for model in OPENS}  # old addresses, which redirect
    expected |= {
        f"{model}/{page}"
        for model, words in OPENS.items()
        for word in words[place].split()
        for page in PAGES[word]
    }
    expected |= set(EXTRA) if group == "administrator" else set()
    there = set(routes(admin.site.get_urls()))
    opened = {route for route in there if is_opened(path_to(route, rows), user)}
    assert opened == expected & there


@pytest.mark.parametrize("group", GROUPS)
def test_each_group_is_offered_these_actions_and_no_others(
    group: str, rows: dict[str, Model], member: Callable[[str], User]
) -> None:
    request = RequestFactory().get("/")
    request.user = member(group)
    offered = {
        (model, action)
        for model, row in rows.items()
        for action in admin.site.get_model_admin(type(row)).get_actions(request)
    }
    everything = {(model, action) for model, actions in ACTIONS.items() for action in actions}
    operators = {(model, action) for model, actions in OPERATES.items() for action in actions}
    by_group = {"viewer": set(), "operator": operators}
    assert offered == by_group.get(group, everything - SUPERUSERS_ONLY)


def values_of(row: Model) -> list[dict[str, Any]]:
    """The whole table of a row."""
    return list(type(row).objects.order_by("pk").values())  # type: ignore[attr-defined]


def test_no_action_of_a_viewer_changes_a_row(
    rows: dict[str, Model], member: Callable[[str], User]
) -> None:
    browser = Browser()
    browser.force_login(member("viewer"))
    for model, actions in ACTIONS.items():
        before = values_of(rows[model])
        for action in actions:
            data = {"action": action, "_selected_action": rows[model].pk, "reason": "x"}
            browser.post(f"/admin/{model}/", data | {"post": "yes"})
        assert values_of(rows[model]) == before, model
    assert not LogEntry.objects.exclude(user__username="command-line").exists()


def test_operator_requests_a_check_of_isolation(
    rows: dict[str, Model], member: Callable[[str], User]
) -> None:
    browser, store = Browser(), rows["builds/store"]
    browser.force_login(member("operator"))
    data = {"action": "check_isolation", "_selected_action": store.pk, "reason": "x"}
    assert browser.post("/admin/builds/store/", data).status_code == 302
    run = store.isolation_runs.latest("pk")  # type: ignore[attr-defined]
    assert run.requested_by.username == "a operator"


# What is done at once, from the bar of a list.
AT_ONCE = {
    "builds/store": ["check_isolation"],
    "builds/product": ["allow_sync", "limit_to_upload"],
    "builds/build": ["release_roots"],
    "credentials/client": ["enable"],
    "credentials/oidcissuer": ["disable", "enable"],
    "credentials/trustedpublisher": ["disable", "enable"],
    "credentials/webhook": ["disable", "enable", "send_test", "make_secret"],
    "credentials/webhookdelivery": ["send_again"],
    "auth/user": ["disable", "enable"],
    "credentials/auditfinding": ["acknowledge", "withdraw"],
}


def test_action_without_a_reason_changes_nothing(
    rows: dict[str, Model], admin_client: Browser
) -> None:
    Store.objects.update(with_sync=True)
    Build.objects.update(root_is_shared=True)
    reasons = [*((model, "") for model in AT_ONCE), ("auth/user", " "), ("auth/user", "two\nlines")]
    for model, reason in reasons:
        before = (values_of(rows[model]), LogEntry.objects.count())
        for action in AT_ONCE[model]:
            data = {"action": action, "_selected_action": rows[model].pk, "reason": reason}
            shown = admin_client.post(f"/admin/{model}/", data, follow=True).content.decode()
            assert "Nothing was changed. Reason:" in shown
        assert (values_of(rows[model]), LogEntry.objects.count()) == before, model


def test_reason_of_an_action_is_in_the_log(rows: dict[str, Model], admin_client: Browser) -> None:
    issuer = rows["credentials/oidcissuer"]
    data = {"action": "disable", "_selected_action": issuer.pk, "reason": "its keys leaked"}
    admin_client.post("/admin/credentials/oidcissuer/", data)
    entry = LogEntry.objects.filter(object_id=str(issuer.pk)).latest("pk")
    assert entry.change_message == "Disabled. Reason: its keys leaked."


@pytest.mark.parametrize("way", ["", "{key}/delete/"], ids=["action", "page"])
def test_deleting_needs_a_reason_which_is_in_the_log(way: str, admin_client: Browser) -> None:
    group = Group.objects.create(name="keepers")
    address = f"/admin/auth/group/{way.format(key=group.pk)}"
    data = {"action": "delete_selected", "_selected_action": group.pk}
    asked = admin_client.get(address) if way else admin_client.post(address, data)
    assert "This will be deleted" in asked.content.decode()
    sent = {**data, "post": "yes", "reason": ""}
    assert "Nothing was changed." in admin_client.post(address, sent, follow=True).content.decode()
    assert Group.objects.filter(pk=group.pk).exists()
    admin_client.post(address, sent | {"reason": "nobody is in it"})
    assert not Group.objects.filter(pk=group.pk).exists()
    assert LogEntry.objects.get().change_message == "Deleted. Reason: nobody is in it"


def test_setting_a_password_needs_a_reason_which_is_in_the_log(
    member: Callable[[str], User], admin_client: Browser
) -> None:
    account = member("viewer")
    address = f"/admin/auth/user/{account.pk}/password/"
    assert 'name="reason"' in admin_client.get(address).content.decode()
    sent = dict.fromkeys(("password1", "password2"), "correct horse battery")
    assert "Say why." in admin_client.post(address, sent | {"reason": ""}).content.decode()
    admin_client.post(address, sent | {"reason": "forgotten", "usable_password": "true"})
    account.refresh_from_db()
    assert account.check_password("correct horse battery")
    assert LogEntry.objects.get().change_message == "Changed password. Reason: forgotten"


def test_own_password_is_on_record(db: None) -> None:
    account, browser = User.objects.create_superuser("root", password="old"), Browser()
    browser.force_login(account)
    for old in ("wrong", "old"):
        new = {"new_password1": "correct horse battery", "new_password2": "correct horse battery"}
        browser.post("/admin/password_change/", {"old_password": old, **new})
    entry = LogEntry.objects.get(object_id=account.pk)
    assert (entry.user, entry.change_message) == (account, "Changed password.")


def test_operator_revokes_keys_and_job_tokens(
    rows: dict[str, Model], member: Callable[[str], User]
) -> None:
    browser = Browser()
    browser.force_login(member("operator"))
    for model, ended in (
        ("credentials/apikey", "revoked_at"),
        ("credentials/jobtoken", "ended_at"),
    ):
        assert confirm(browser, "revoke", rows[model]).status_code == 302
        rows[model].refresh_from_db()
        assert getattr(rows[model], ended) is not None


# How the groups are made.

migration = import_module("credentials.migrations.0028_version_1_0_0")
STEPS = {
    "0013_groups": "add_groups",
    "0021_groups_view_revocations": "let_groups_view",
    "0023_webhooks": "let_groups_see_webhooks",
    "0027_groups_view_audits": "let_groups_view",
    "0030_export_place": "let_groups_view",
}


def granted(group: str) -> set[str]:
    names = Group.objects.get(name=group).permissions
    return {f"{a}.{c}" for a, c in names.values_list("content_type__app_label", "codename")}


def migrate_again() -> None:
    migration.add_groups(apps, SimpleNamespace(connection=connection))


def test_viewers_see_every_page_but_those_of_accounts(db: None) -> None:
    """A new model of the admin: grant its `view` to the groups in a migration."""
    models = [model._meta for model in admin.site._registry]
    ours = {m for m in models if m.app_label in {"builds", "credentials"}}
    assert granted("viewer") >= {f"{m.app_label}.view_{m.model_name}" for m in ours}
    assert {name for name in granted("viewer") if ".view_" not in name} == set()


def test_each_group_may_what_the_one_before_it_may(db: None) -> None:
    viewer, operator, administrator = map(granted, GROUPS)
    assert viewer < operator < administrator


def test_permissions_are_made_once(db: None) -> None:
    before = Permission.objects.count()
    migrate_again()
    for config in apps.get_app_configs():
        create_permissions(config, verbosity=0)
    assert Permission.objects.count() == before


def test_databases_from_before_version_1_have_the_same_groups(db: None) -> None:
    """Step by step, as they were upgraded."""
    at_once = {name: granted(name) for name in GROUPS}
    Group.objects.all().delete()
    editor = SimpleNamespace(connection=connection)
    for name, function in STEPS.items():
        getattr(import_module(f"credentials.migrations.{name}"), function)(apps, editor)
    assert {name: granted(name) for name in GROUPS} == at_once


def test_what_somebody_changed_stays(db: None) -> None:
    Group.objects.get(name="operator").permissions.clear()
    Group.objects.get(name="viewer").delete()
    mine = Group.objects.create(name="viewer")
    migrate_again()
    assert (granted("operator"), mine.permissions.count()) == (set(), 0)


def test_accounts_are_named_without_links_that_viewers_may_not_open(
    store: Store, now: datetime
) -> None:
    user = User.objects.create_user("reader", is_staff=True)
    rights = Permission.objects.filter(codename__in=["view_isolationrun", "view_jobrun"])
    user.user_permissions.set(rights)
    browser = Browser()
    browser.force_login(user)
    check = request_check(store=store, now=now, actor_id=user.pk)
    for row in (check, JobRun.objects.create(job="doctor", started_at=now, started_by=user)):
        shown = browser.get(page_address(row)).content.decode().split('id="content-main"')[1]
        assert ">reader<" in shown
        assert "/admin/auth/user/" not in shown


def test_page_that_one_may_not_open_leads_back(db: None) -> None:
    browser = Browser()
    browser.force_login(User.objects.create_user("newcomer", is_staff=True))
    for address in ("/admin/builds/store/", "/admin/revoke/client/1/"):
        answer = browser.get(address)
        assert (answer.status_code, answer["content-type"]) == (403, "text/html; charset=utf-8")
        assert '<a href="/admin/">The front page</a>' in answer.content.decode()


def test_state_of_an_account_is_a_word(admin_client: Browser) -> None:
    account = User.objects.create_user("ada", is_active=False)
    shown = admin_client.get(page_address(account)).content.decode()
    state = shown.split("field-is_active_in_words")[1].split("</div></div>")[0]
    assert '<div class="readonly">disabled</div>' in state
    assert "Unselect this" not in shown
