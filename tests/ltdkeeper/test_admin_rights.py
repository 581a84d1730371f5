"""Which permission opens which address of the admin, and which action. A new one needs a row."""

import re
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group, Permission, User
from django.contrib.messages.storage.cookie import CookieStorage
from django.contrib.sessions.backends.signed_cookies import SessionStore
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Model, ProtectedError
from django.http import Http404, HttpResponse, QueryDict
from django.test import Client as Browser
from django.test import RequestFactory
from django.urls import URLPattern, URLResolver, resolve, reverse

from builds.models import Build, Store
from credentials.access.clients import start_job_token
from credentials.models import (
    ApiKey,
    AuditFinding,
    Client,
    IssuedSession,
    JobRun,
    LedgerExport,
    OidcIssuer,
    Refusal,
    Revocation,
    TrustedPublisher,
    Webhook,
    WebhookDelivery,
)
from credentials.operations.isolation.checking import request_check
from credentials.operations.outbox import record_test_event

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]

READ = ("view", "change")
ONE = "<path:object_id>"
# What every member of staff opens, and what nobody does (`r/` is for models with a page of their
# own). The rest is for those with one of these permissions, or for superusers alone.
STAFF = ("staff",)
SUPERUSERS = ("superusers",)
NOBODY: tuple[str, ...] = ()
REVOKERS = ("credentials.revoke_issuedsession",)
SITE: dict[str, tuple[str, ...]] = {
    "": STAFF,
    "find/": STAFF,
    "login/": STAFF,
    "logout/": STAFF,
    "second-factor/": STAFF,
    "second-factor/setup/": STAFF,
    "oidc/sign-in/": NOBODY,  # unless an issuer is set
    "oidc/callback/": NOBODY,
    "password_change/": STAFF,
    "password_change/done/": STAFF,
    "jsi18n/": STAFF,
    "autocomplete/": ("credentials.view_client", "credentials.change_client"),
    "r/<path:content_type_id>/<path:object_id>/": NOBODY,
    "revoke/<str:kind>/": REVOKERS,
    "revoke/<str:kind>/<str:key>/": REVOKERS,
    "end/<str:kind>/": ("credentials.change_client",),
    "^(?P<app_label>...)/$": (
        *("builds.view_build", "builds.change_build"),
        *(f"builds.{do}_product" for do in ("view", "add", "change", "delete")),
        *(f"builds.{do}_store" for do in ("view", "add", "change", "delete")),
    ),
    "(?P<url>.*)$": NOBODY,
}
# Model -> who opens the list and the page of one row, adds, deletes.
PAGES: dict[str, tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]] = {
    "builds/store": (READ, ("add",), ("delete",)),
    "builds/product": (READ, ("add",), ("delete",)),
    "builds/build": (READ, NOBODY, NOBODY),
    "credentials/client": (READ, ("add",), NOBODY),
    "credentials/apikey": (READ, ("add",), NOBODY),
    "credentials/jobtoken": (READ, NOBODY, NOBODY),
    "credentials/isolationrun": (READ, NOBODY, NOBODY),
    "credentials/issuedsession": (READ, NOBODY, NOBODY),
    "credentials/refusal": (READ, NOBODY, NOBODY),
    "credentials/revocation": ((*READ, *REVOKERS), NOBODY, NOBODY),
    "credentials/jobrun": (READ, NOBODY, NOBODY),
    "credentials/auditfinding": (READ, NOBODY, NOBODY),
    "credentials/ledgerexport": (READ, NOBODY, NOBODY),
    "credentials/oidcissuer": (READ, ("add",), ("delete",)),
    "credentials/trustedpublisher": (READ, ("add",), NOBODY),
    "credentials/webhook": (READ, ("add",), NOBODY),
    "credentials/webhookdelivery": (READ, NOBODY, NOBODY),
    "auth/user": (READ, SUPERUSERS, NOBODY),  # Django asks for two permissions to add one
    "auth/group": (READ, SUPERUSERS, SUPERUSERS),
}
NOT_EXPORTED = {"auth/user", "auth/group", "credentials/refusal", "credentials/webhook"}
EXTRA: dict[str, tuple[str, ...]] = {"auth/user/<id>/password/": ("auth.change_user",)}
CHECK = "credentials.add_isolationrun"
SWITCH = {"disable": ("change",), "enable": ("change",)}
ACTIONS: dict[str, dict[str, tuple[str, ...]]] = {
    "builds/store": {
        "check_isolation": ("change", CHECK),
        "delete_selected": ("delete",),
    },
    "builds/product": {
        "allow_sync": ("change",),
        "limit_to_upload": ("change",),
        "delete_selected": ("delete",),
    },
    "builds/build": {"mark_deleted": ("change",), "release_roots": ("change",)},
    "credentials/client": SWITCH,
    "credentials/apikey": {"revoke": ("change", *REVOKERS)},
    "credentials/jobtoken": {"revoke": ("change", *REVOKERS)},
    "credentials/isolationrun": {},
    "credentials/issuedsession": {"revoke": ("revoke",)},
    "credentials/refusal": {},
    "credentials/revocation": {},
    "credentials/jobrun": {},
    "credentials/ledgerexport": {},
    "credentials/auditfinding": {"acknowledge": ("change",), "withdraw": ("change",)},
    "credentials/oidcissuer": {
        **SWITCH,
        "fetch_keys": ("change",),
        "delete_selected": ("delete",),
    },
    "credentials/trustedpublisher": SWITCH,
    "credentials/webhook": {**SWITCH, "send_test": ("change",), "make_secret": ("change",)},
    "credentials/webhookdelivery": {"send_again": ("resend",)},
    "auth/user": SWITCH,
    "auth/group": {"delete_selected": SUPERUSERS},
}


def routes(patterns: Any, before: str = "") -> Iterator[str]:
    """Every address of the admin, as it is written in its patterns, without the names of apps:
    they stand in the order in which their modules were first imported.
    """
    for each in patterns:
        route = before + re.sub(r"(?<=<app_label>)[\w|]+", "...", str(each.pattern))
        if isinstance(each, URLResolver):
            yield from routes(each.url_patterns, route)
        else:
            assert isinstance(each, URLPattern)
            yield route


def opened_by() -> dict[str, set[str]]:
    """The tables above, by address, with whole permissions."""
    table = {route: set(who) for route, who in (SITE | EXTRA).items()}
    for model, (see, add, delete) in PAGES.items():
        table[f"{model}/{ONE}/"] = set(STAFF)  # an old address: it redirects to the next
        for page in ("", f"{ONE}/change/", f"{ONE}/history/"):
            table[f"{model}/{page}"] = whole(model, see)
        table[f"{model}/add/"] = whole(model, add)
        if model not in NOT_EXPORTED:
            table[f"{model}/export/<str:form>/"] = whole(model, see)
        table[f"{model}/{ONE}/delete/"] = whole(model, delete)
    return table


def whole(model: str, names: tuple[str, ...]) -> set[str]:
    app, name = model.split("/")
    plain = {each for each in names if each in SUPERUSERS or "." in each}
    return plain | {f"{app}.{each}_{name}" for each in set(names) - plain}


@pytest.fixture
def rows(build: Build, now: datetime, client_row: Client) -> dict[str, Model]:
    """One of each model that the admin shows."""
    issuer = OidcIssuer.objects.create(
        kind="other",
        issuer="https://ci.example.org",
        jwks_url="https://ci.example.org/keys",
        identifying_claims=["project"],
    )
    rule = TrustedPublisher.objects.create(
        name="docs", client=client_row, issuer=issuer, conditions={"project": ["7"]}
    )
    token, _ = start_job_token(
        client=client_row, products=[build.product], now=now, publisher=rule, identity=""
    )
    session = IssuedSession.objects.create(
        id=LEDGER_ID,
        session_name=LEDGER_ID,
        requested_at=now,
        root=build.root,
        bucket_name=build.bucket_name,
        policy="{}",
        duration_seconds=1800,
    )
    decision = Revocation.objects.create(
        kind="client",
        target_name="ci",
        store=build.product.store,
        reason="leaked",
        requested_at=now,
        ends_at=now + timedelta(hours=1),
    )
    run = JobRun.objects.create(job="audit_sessions", started_at=now, holder="here")
    finding = AuditFinding.objects.create(
        job=run.job,
        rule="session_stuck",
        subject="one",
        severity="error",
        what="wrong",
        first_seen_at=now,
        last_seen_at=now,
        first_run=run,
        last_run=run,
    )
    export = LedgerExport.objects.create(
        file_name="sessions-1.jsonl.gz",
        first_id=LEDGER_ID,
        last_id=LEDGER_ID,
        until=now,
        begun_at=now,
    )
    webhook = Webhook.objects.create(name="editions", url="https://hooks.example.org/s3cret")
    record_test_event(webhook=webhook, now=now)
    letter = WebhookDelivery.objects.get()
    WebhookDelivery.objects.update(state="dead")
    found: list[Model] = [
        *(decision, run, finding, export, webhook, letter),
        *(build.product.store, build.product, build, client_row, ApiKey.objects.all()[0]),
        *(token, request_check(store=build.product.store, now=now), session, issuer, rule),
        Refusal.objects.create(hour=now, network="192.0.2.7", reason="x", calls=1, last_at=now),
        *(User.objects.create_user("somebody"), Group.objects.create(name="readers")),
    ]
    return {f"{row._meta.app_label}/{row._meta.model_name}": row for row in found}


LEDGER_ID = "01m8cd1cb8dct6550jbv0edm57"


@pytest.fixture
def staff(db: None) -> dict[str, User]:
    """A member of staff with each permission there is, one with none, and a superuser."""
    found = {"staff": User.objects.create_user("none", is_staff=True)}
    for each in Permission.objects.select_related("content_type"):
        name = f"{each.content_type.app_label}.{each.codename}"
        found[name] = User.objects.create_user(name, is_staff=True)
        found[name].user_permissions.add(each)
    return found | {"superusers": User.objects.create_superuser("root")}


def path_to(route: str, rows: dict[str, Model]) -> str:
    row = rows.get("/".join(route.split("/")[:2]))
    path = re.sub(r"<[\w:]*id>", str(row.pk if row else 1), route)
    path = path.replace("<str:form>", "csv")
    key = str(rows["credentials/client"].pk)
    path = path.replace("<str:kind>", "client").replace("<str:key>", key)
    path = path.replace("^(?P<app_label>...)/$", "builds/")
    return "/admin/" + path.replace("(?P<url>.*)$", "nowhere")


QUERY = {"app_label": "credentials", "model_name": "apikey", "field_name": "client", "term": ""}


def ask(path: str, user: User) -> HttpResponse:
    """The view's answer, past the middleware, which knows nothing of permissions."""
    method = "post" if path.endswith(("logout/", "/export/csv/")) else "get"
    request = getattr(RequestFactory(), method)(path, QUERY)
    if "autocomplete" not in path:
        request = getattr(RequestFactory(), method)(path)
    if path in {"/admin/revoke/client/", "/admin/end/client/"}:  # what was selected in a list
        request.GET = QueryDict(f"key={Client.objects.get().pk}")
    request.user, request.session = user, SessionStore()
    request._messages = CookieStorage(request)
    request._dont_enforce_csrf_checks = True
    view, args, kwargs = resolve(path)
    answer: HttpResponse = view(request, *args, **kwargs)
    return answer


def is_opened(path: str, user: User) -> bool:
    try:
        return ask(path, user).status_code < 400
    except (Http404, PermissionDenied):
        return False


@pytest.mark.slow
def test_each_address_opens_to_these_permissions_and_to_no_others(
    rows: dict[str, Model], staff: dict[str, User]
) -> None:
    opened = {
        route: {name for name, user in staff.items() if is_opened(path_to(route, rows), user)}
        for route in routes(admin.site.get_urls())
    }
    expected = opened_by()
    for who in expected.values():
        who.update(staff if STAFF[0] in who else SUPERUSERS if who else ())
    assert opened == expected


def test_who_is_not_staff_opens_nothing(rows: dict[str, Model], db: None) -> None:
    outsider = User.objects.create_user("outsider", is_superuser=True)
    closed = [route for route in routes(admin.site.get_urls()) if route not in OPEN_TO_ALL]
    for route in closed:
        answer = ask(path_to(route, rows), outsider)
        assert (answer.status_code, answer["Location"].split("?")[0]) == (302, "/admin/login/")


# The page to log in at, the one after logging out, and the redirect for an unknown address.
OPEN_TO_ALL = (
    *("login/", "logout/", "jsi18n/", "(?P<url>.*)$"),
    *("oidc/sign-in/", "oidc/callback/"),
)


def test_each_action_is_for_these_permissions_and_no_others(
    rows: dict[str, Model], staff: dict[str, User]
) -> None:
    offered: dict[str, dict[str, set[str]]] = {model: {} for model in rows}
    for model, name, user in ((m, n, u) for m in rows for n, u in staff.items()):
        request = RequestFactory().get("/")
        request.user = user
        for action in admin.site.get_model_admin(type(rows[model])).get_actions(request):
            offered[model].setdefault(action, set()).add(name)
    assert offered == {
        model: {action: whole(model, who) | set(SUPERUSERS) for action, who in actions.items()}
        for model, actions in ACTIONS.items()
    }


@pytest.fixture
def browser_of(db: None) -> Callable[..., Browser]:
    """A browser of a member of staff with these permissions."""

    def log_in(*names: str) -> Browser:
        user = User.objects.create_user("+".join(names), is_staff=True)
        for name in names:
            app, codename = name.split(".")
            user.user_permissions.add(
                Permission.objects.get(content_type__app_label=app, codename=codename)
            )
        browser = Browser()
        browser.force_login(user)
        return browser

    return log_in


# permission -> what of this the pages show
SHOWN: dict[str, set[str]] = {
    "auth.view_group": set(),
    "credentials.view_issuedsession": {"Sessions active"},
    "builds.view_store": set(),
    "credentials.view_isolationrun": set(),
    "builds.view_store credentials.view_isolationrun": {"main-store"},
    "credentials.add_trustedpublisher": {"ci.example.org", "other.example.org"},
    "credentials.view_trustedpublisher": set(),
}


def test_front_page_and_choice_of_issuers_show_what_one_may_see(
    rows: dict[str, Model], browser_of: Callable[..., Browser]
) -> None:
    OidcIssuer.objects.create(issuer="https://other.example.org", jwks_url="https://y/")
    Store.objects.update(name="main-store")
    words = {"Sessions active", "main-store", "ci.example.org", "other.example.org"}
    for permissions, expected in SHOWN.items():
        browser = browser_of(*permissions.split())
        pages = [browser.get("/admin/"), browser.get("/admin/credentials/trustedpublisher/add/")]
        shown = "".join(page.content.decode() for page in pages)
        assert {word for word in words if word in shown} == expected, permissions


RIGHTS = {"is_staff": "on", "is_superuser": "on", "groups": "GROUP", "user_permissions": "RIGHT"}


@pytest.fixture
def change_account(browser_of: Callable[..., Browser]) -> Callable[..., Any]:
    """Save the page of an account as one who may change accounts, and no more."""
    browser = browser_of("auth.change_user", "auth.view_user", "auth.add_user")

    def send(account: User | None = None, **fields: Any) -> User:
        acted = account or User.objects.get(pk=browser.session["_auth_user_id"])
        data = {"username": acted.username, "is_active": "on", "first_name": "Ada"}
        data |= {"reason": "as agreed", **fields}
        stamps = {"date_joined_0": "2026-01-01", "date_joined_1": "00:00:00"}
        browser.post(reverse("admin:auth_user_change", args=[acted.pk]), data | stamps)
        return User.objects.get(pk=acted.pk)

    send.browser = browser  # type: ignore[attr-defined]
    return send


@pytest.mark.parametrize("whose", ["their own", "another"])
def test_only_superusers_give_rights(whose: str, change_account: Callable[..., User]) -> None:
    group = Group.objects.create(name="keepers")
    right = Permission.objects.get(codename="change_store")
    values = {"GROUP": group.pk, "RIGHT": right.pk}
    account = None if whose == "their own" else User.objects.create_user("ada")
    before = User.objects.get(username="ada") if account else None
    saved = change_account(account, **{name: values.get(v, v) for name, v in RIGHTS.items()})
    assert saved.first_name == "Ada"
    assert (saved.is_superuser, saved.groups.count()) == (False, 0)
    assert not saved.has_perm("builds.change_store")
    assert saved.is_staff is (before is None)


def with_a_right(**fields: Any) -> User:
    account = User.objects.create_user("other", is_staff=True, **fields)
    account.user_permissions.add(Permission.objects.get(codename="change_store"))
    return account


def in_a_group() -> User:
    group = Group.objects.create(name="keepers")
    group.permissions.add(Permission.objects.get(codename="change_store"))
    account = User.objects.create_user("other")
    account.groups.add(group)
    return account


GREATER: dict[str, Callable[[], User]] = {
    "superuser": lambda: User.objects.create_superuser("other"),
    "inactive superuser": lambda: User.objects.create_superuser("other", is_active=False),
    "further permission": with_a_right,
    "further permission, inactive": lambda: with_a_right(is_active=False),
    "further permission by a group": in_a_group,
}


@pytest.mark.parametrize("kind", GREATER)
def test_who_holds_more_is_neither_changed_nor_given_a_password_nor_enabled(
    kind: str, change_account: Callable[..., User]
) -> None:
    account = GREATER[kind]()
    browser = change_account.browser  # type: ignore[attr-defined]
    saved = change_account(account)
    new = {"password1": "correct horse battery", "password2": "correct horse battery"}
    address = reverse("admin:auth_user_password_change", args=[account.pk])
    answer = browser.post(address, {**new, "usable_password": "true"})
    assert answer.status_code == 403
    for action in ("disable", "enable"):
        data = {"action": action, "_selected_action": account.pk, "reason": "x"}
        browser.post(reverse("admin:auth_user_changelist"), data)
    again = User.objects.get(pk=account.pk)
    assert saved.first_name == ""
    assert (again.password, again.is_active) == (account.password, account.is_active)


def test_who_holds_no_more_is_given_a_password(change_account: Callable[..., User]) -> None:
    account = User.objects.create_user("ada")
    new = {"password1": "correct horse battery", "password2": "correct horse battery"}
    address = reverse("admin:auth_user_password_change", args=[account.pk])
    sent = {**new, "set-password": "1", "usable_password": "true", "reason": "forgotten"}
    change_account.browser.post(address, sent)  # type: ignore[attr-defined]
    assert User.objects.get(pk=account.pk).check_password("correct horse battery")


def test_superuser_gives_rights(db: None) -> None:
    browser, account = Browser(), User.objects.create_user("ada")
    browser.force_login(User.objects.create_superuser("root"))
    group = Group.objects.create(name="keepers")
    stamps = {"date_joined_0": "2026-01-01", "date_joined_1": "00:00:00"}
    data = {"username": "ada", "is_staff": "on", "groups": group.pk, **stamps}
    data["reason"] = "joined"
    browser.post(reverse("admin:auth_user_change", args=[account.pk]), data)
    account.refresh_from_db()
    assert (account.is_staff, account.groups.get()) == (True, group)


def test_entries_of_the_log_outlive_accounts(db: None, store: Store) -> None:
    browser, root = Browser(), User.objects.create_superuser("root")
    browser.force_login(User.objects.create_superuser("other"))
    LogEntry.objects.log_actions(root.pk, [store], 2, "Moved.", single_object=True)
    page = reverse("admin:auth_user_delete", args=[root.pk])
    assert browser.post(page, {"post": "yes"}).status_code == 403
    data = {"action": "delete_selected", "_selected_action": root.pk, "post": "yes"}
    browser.post(reverse("admin:auth_user_changelist"), data)
    for doomed in (root, User.objects.filter(pk=root.pk), LogEntry.objects.all()):
        with pytest.raises(ProtectedError, match="are kept"), transaction.atomic():
            doomed.delete()
    assert LogEntry.objects.get().user == root


def test_disabled_account_is_logged_out_and_on_record(db: None) -> None:
    browser, other = Browser(), Browser()
    browser.force_login(User.objects.create_superuser("root"))
    account = User.objects.create_superuser("other")
    other.force_login(account)
    data = {"action": "disable", "_selected_action": account.pk, "reason": "x"}
    browser.post(reverse("admin:auth_user_changelist"), data)
    assert other.get("/admin/").status_code == 302
    assert LogEntry.objects.get(object_id=account.pk).change_message == "Disabled. Reason: x."
