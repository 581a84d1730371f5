"""A page that was open before something changed undoes nothing of it when it is saved."""

import re
from collections.abc import Callable
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urlencode

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group, User
from django.test import Client as Browser
from django.urls import reverse

from builds.models import Product, Store
from credentials.access.callers import Caller
from credentials.access.clients import start_job_token
from credentials.models import Client, Grant, OidcIssuer, TrustedPublisher
from ltdkeeper.admin.links import page_address
from tests.conftest import api_for
from tests.credentials.access.looks import right_still_stands

pytestmark = pytest.mark.django_db


class Form(HTMLParser):
    """What a browser would send of the form on a page, as it is filled in."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: dict[str, list[str]] = {}
        self.select = self.area = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        name = given.get("name") or ""
        if tag == "select":
            self.select = name
        elif tag == "textarea":
            self.area, self.sent[name] = name, [""]
        elif tag == "option" and "selected" in given and self.select:
            self.sent.setdefault(self.select, []).append(given.get("value") or "")
        elif tag == "input" and name and self.is_sent(given):
            unsaid = "on" if given.get("type") in {"checkbox", "radio"} else ""
            self.sent.setdefault(name, []).append(given.get("value") or unsaid)

    @staticmethod
    def is_sent(given: dict[str, Any]) -> bool:
        kind = given.get("type")
        return kind != "submit" and (kind not in {"checkbox", "radio"} or "checked" in given)

    def handle_data(self, data: str) -> None:
        if self.area:
            self.sent[self.area] = [self.sent[self.area][0] + data.removeprefix("\n")]

    def handle_endtag(self, tag: str) -> None:
        if tag == "textarea":
            self.area = ""


@pytest.fixture
def browser(db: None) -> Browser:
    browser = Browser()
    browser.force_login(User.objects.create_superuser("root"))
    return browser


@pytest.fixture
def page_of(browser: Browser) -> Callable[..., Callable[..., str]]:
    """Open the page of a row; what saves it later, with some fields edited."""

    def look(row: Any) -> Callable[..., str]:
        meta = row._meta
        name = f"admin:{meta.app_label}_{meta.model_name}_change"
        address = reverse(name, args=[row.pk])
        form = Form()
        form.feed(browser.get(address).content.decode())
        form.sent.pop("action", None)

        def save(*, carried: bool = True, **edited: Any) -> str:
            sent = {k: v for k, v in form.sent.items() if carried or not k.startswith("initial-")}
            answer = browser.post(address, sent | {"reason": "as agreed"} | edited)
            shown: str = answer.content.decode()
            assert answer.status_code == (200 if "errornote" in shown else 302)
            return shown

        return save

    return look


@pytest.fixture
def act(browser: Browser) -> Callable[..., None]:
    """Choose an action of a list for one row."""

    def choose(row: Any, action: str) -> None:
        address = reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_changelist")
        answer = browser.post(
            address, {"action": action, "_selected_action": row.pk, "reason": "x"}
        )
        if "/end/" in answer["Location"]:  # it asks first
            browser.post(answer["Location"], {"reason": "leaked"})

    return choose


@pytest.fixture
def rows(caller: Caller, product: Product) -> dict[str, Any]:
    issuer = OidcIssuer(kind="github")
    issuer.full_clean()
    issuer.save()
    conditions = {"repository_id": ["74"], "repository_owner_id": ["65"], "event_name": ["push"]}
    rule = TrustedPublisher.objects.create(
        name="docs", client=caller.client, issuer=issuer, conditions=conditions
    )
    rule.products.add(product)
    return {
        "client": caller.client,
        "rule": rule,
        "issuer": issuer,
        "account": User.objects.create_user("ada"),
        "product": product,
        "store": product.store,
    }


EDITS: dict[str, dict[str, str]] = {
    "client": {"may_create_products": "on"},
    "rule": {"name": "renamed"},
    "issuer": {"jwks_url": "https://moved.example.org/keys"},
    "account": {"first_name": "Ada"},
}


@pytest.mark.parametrize(("action", "sent"), [("disable", {"is_active": "on"}), ("enable", {})])
def test_what_was_disabled_or_enabled_meanwhile_stays_so(
    action: str, sent: dict[str, str], rows: dict[str, Any], page_of: Any, act: Any
) -> None:
    for kind, edits in EDITS.items():
        row = rows[kind]
        type(row).objects.filter(pk=row.pk).update(is_active=action == "disable")
        save = page_of(row)
        act(row, action)
        save(**edits, **sent)
        row.refresh_from_db()
        [(name, value)] = edits.items()
        assert getattr(row, name) == (value if value != "on" else True), kind
        assert row.is_active is (action == "enable"), kind
        entries = LogEntry.objects.filter(object_id=row.pk).values_list("change_message", flat=True)
        assert any(entry.startswith(f"{action.title()}d.") for entry in entries), kind


def test_what_is_sent_without_what_the_page_showed_enables_nothing(
    rows: dict[str, Any], page_of: Any, act: Any
) -> None:
    for kind, edits in EDITS.items():
        save = page_of(rows[kind])
        act(rows[kind], "disable")
        save(carried=False, is_active="on", **edits)
        rows[kind].refresh_from_db()
        assert rows[kind].is_active is False, kind


def test_access_that_was_taken_back_meanwhile_stays_so(
    product: Product, page_of: Any, act: Any
) -> None:
    act(product, "allow_sync")
    product.refresh_from_db()
    assert product.access == "upload", "its store is not set up for it"
    Store.objects.update(with_sync=True)
    act(product, "allow_sync")
    product.refresh_from_db()
    assert product.access == "sync"
    save = page_of(product)
    act(product, "limit_to_upload")
    save(title="Guide", access="sync")
    product.refresh_from_db()
    assert (product.title, product.access) == ("Guide", "upload")


# row, what is set meanwhile, what the old page edits
MEANWHILE: dict[str, tuple[str, dict[str, Any], dict[str, str]]] = {
    "a right of a client": ("client", {"may_create_products": True}, {"name": "renamed"}),
    "the keys of an issuer": ("issuer", {"jwks_url": "https://new.example.org/k"}, {"kind": "x"}),
    "a rule's name": ("rule", {"name": "new"}, {"environment": "docs"}),
    "a product's domain": ("product", {"root_domain": "docs.example"}, {"title": "Guide"}),
    "a product's sessions": ("product", {"session_seconds": 900}, {"title": "Guide"}),
    "a store's role": (
        "store",
        {"role_arn": "arn:aws:iam::123456789012:role/new"},
        {"external_id": "tenant-7"},
    ),
    "a store's support of POSTs": ("store", {"post_support": "works"}, {"external_id": "x"}),
    "an account's rights": ("account", {"is_superuser": True, "is_staff": True}, {"email": ""}),
    "an account's address": ("account", {"email": "ada@example.org"}, {"first_name": "Ada"}),
}


def test_field_that_was_not_edited_keeps_what_was_written_meanwhile(
    rows: dict[str, Any], page_of: Any
) -> None:
    for what, (kind, changed, edited) in MEANWHILE.items():
        row = rows[kind]
        there = type(row).objects.filter(pk=row.pk)
        before = {name: getattr(row, name) for name in changed}
        for first, then in ((before, changed), (changed, before)):
            there.update(**first)
            save = page_of(row)
            there.update(**then)
            save(**edited)
            assert there.values(*changed).get() == then, what


def test_the_same_field_is_written_by_who_saves_last(rows: dict[str, Any], page_of: Any) -> None:
    first, second = page_of(rows["product"]), page_of(rows["product"])
    first(title="First")
    second(title="Second", root_domain="docs.example")
    rows["product"].refresh_from_db()
    assert (rows["product"].title, rows["product"].root_domain) == ("Second", "docs.example")


def test_field_that_was_edited_back_is_written(rows: dict[str, Any], page_of: Any) -> None:
    save = page_of(rows["client"])
    save(may_create_products="on")
    page_of(rows["client"])(may_create_products=[])
    rows["client"].refresh_from_db()
    assert rows["client"].may_create_products is False


def test_product_that_was_taken_from_a_rule_stays_away(
    rows: dict[str, Any], make_product: Callable[..., Product], page_of: Any
) -> None:
    rows["rule"].products.add(make_product("handbook"))
    save = page_of(rows["rule"])
    rows["rule"].products.remove(Product.objects.get(slug="handbook"))
    save(name="renamed")
    assert [each.slug for each in rows["rule"].products.all()] == ["guide"]


def test_condition_that_was_tightened_stays(rows: dict[str, Any], page_of: Any) -> None:
    save = page_of(rows["rule"])
    page_of(rows["rule"])(environment="production")
    save(ref_type=["tag"])
    rows["rule"].refresh_from_db()
    tightened = {"environment": ["production"], "ref_type": ["tag"]}
    assert rows["rule"].conditions | tightened == rows["rule"].conditions
    save(repository_id="75")
    rows["rule"].refresh_from_db()
    assert rows["rule"].conditions["repository_id"] == ["75"]
    assert rows["rule"].conditions["environment"] == ["production"]


def test_group_that_was_taken_from_an_account_stays_away(
    rows: dict[str, Any], page_of: Any
) -> None:
    account, group = rows["account"], Group.objects.create(name="keepers")
    account.groups.add(group)
    save = page_of(account)
    account.groups.clear()
    save(first_name="Ada")
    assert account.groups.count() == 0
    save = page_of(account)
    account.groups.add(group)
    save(first_name="Ada Augusta")
    assert account.groups.get() == group


def test_edit_needs_a_reason(rows: dict[str, Any], page_of: Any) -> None:
    for kind, reason in (*((kind, "") for kind in EDITS), ("client", "  "), ("client", "a\u2028b")):
        shown = page_of(rows[kind])(**EDITS[kind], reason=reason)
        assert "errornote" in shown, (kind, reason)
        again = type(rows[kind]).objects.get(pk=rows[kind].pk)
        assert all(getattr(again, name) == getattr(rows[kind], name) for name in EDITS[kind])


def test_edit_is_logged_with_its_reason(rows: dict[str, Any], page_of: Any) -> None:
    for kind, edits in EDITS.items():
        page_of(rows[kind])(**edits, reason="as agreed")
        entry = LogEntry.objects.filter(user__username="root").latest("pk")
        assert entry.object_id == str(rows[kind].pk)
        assert re.fullmatch(r"Changed [^.]*\. Reason: as agreed", entry.change_message), kind
        assert "Reason" not in entry.change_message.partition(".")[0]


def test_page_that_is_saved_unchanged_needs_no_reason(rows: dict[str, Any], page_of: Any) -> None:
    assert "errornote" not in page_of(rows["client"])(reason="")


def test_grant_is_taken_back_with_a_reason(rows: dict[str, Any], page_of: Any) -> None:
    Grant.objects.get_or_create(client=rows["client"], product=rows["product"])
    save = page_of(rows["client"])
    assert "Give the reason for changing" in save(**{"grants-0-DELETE": "on"}, reason="")
    assert Grant.objects.exists()
    save(**{"grants-0-DELETE": "on"}, reason="moved away")
    assert not Grant.objects.exists()
    assert LogEntry.objects.get(
        object_id=rows["client"].pk, user__username="root"
    ).change_message.endswith("Reason: moved away")


def test_grant_that_was_taken_back_stays_away(
    rows: dict[str, Any], make_product: Callable[..., Product], page_of: Any
) -> None:
    save = page_of(rows["client"])
    Grant.objects.all().delete()
    save(may_create_products="on")
    assert not Grant.objects.exists()


def test_grant_that_was_moved_stays_moved(
    rows: dict[str, Any], make_product: Callable[..., Product], page_of: Any
) -> None:
    save = page_of(rows["client"])
    Grant.objects.update(product=make_product("handbook"))
    save(may_create_products="on")
    assert Grant.objects.get().product.slug == "handbook"
    assert Client.objects.get(pk=rows["client"].pk).may_create_products is True


def test_page_shown_again_after_a_mistake_still_undoes_nothing(
    rows: dict[str, Any], page_of: Any
) -> None:
    save = page_of(rows["product"])
    Product.objects.update(root_domain="docs.example")
    again = Form()
    again.feed(save(session_seconds="1"))
    again.sent |= {"session_seconds": ["900"]}
    save(**again.sent)
    row = Product.objects.get()
    assert (row.root_domain, row.session_seconds) == ("docs.example", 900)


def test_what_a_script_sends_is_compared_with_the_row(browser: Browser, store: Store) -> None:
    product = Product.objects.create(slug="guide", store=store, title="Old", root_domain="x")
    data = {"slug": "guide", "store": store.pk, "title": "New", "root_domain": "x", "reason": "y"}
    browser.post(reverse("admin:builds_product_change", args=[product.pk]), data)
    product.refresh_from_db()
    assert (product.title, product.root_domain) == ("New", "x")


def test_no_page_carries_the_hash_of_a_password(browser: Browser) -> None:
    account = User.objects.create_user("ada", password="correct horse battery")
    shown = browser.get(reverse("admin:auth_user_change", args=[account.pk])).content.decode()
    assert account.password not in shown
    assert "initial-password" not in shown


def test_disabled_issuer_lets_nobody_in_and_its_tokens_are_refused(
    rows: dict[str, Any], act: Any, now: Any, register: Any
) -> None:
    rule = rows["rule"]
    row, text = start_job_token(
        client=rule.client, products=[rows["product"]], now=now, publisher=rule, identity=""
    )
    api = api_for(text.reveal())
    caller = Caller(client=rule.client, job_token=row)
    build = register(caller=caller)
    rights = {"caller": caller, "build_id": build.pk, "now": now, "lock": False}
    assert (api.get("/products/").status_code, right_still_stands(**rights)) == (200, True)
    act(rows["issuer"], "disable")
    assert (api.get("/products/").status_code, right_still_stands(**rights)) == (401, False)
    act(rows["issuer"], "enable")
    rule.refresh_from_db()
    assert rule.is_active is False


def test_client_with_many_grants_is_edited(
    browser: Browser, client_row: Client, store: Store
) -> None:
    names = [{"slug": f"site-{n}", "surrogate_key": "a" * 32} for n in range(1_200)]
    products = Product.objects.bulk_create(Product(store=store, **each) for each in names)
    grants = Grant.objects.bulk_create(Grant(client=client_row, product=p) for p in products)
    count = client_row.grants.count()
    sent: dict[str, Any] = {"name": "renamed", "reason": "moved"}
    sent |= {"grants-TOTAL_FORMS": count, "grants-INITIAL_FORMS": count}
    for number, grant in enumerate(client_row.grants.order_by("pk")):
        sent |= {f"grants-{number}-id": grant.pk, f"grants-{number}-client": client_row.pk}
    sent[f"grants-{count - 1}-DELETE"] = "on"
    form = "application/x-www-form-urlencoded"
    answer = browser.post(page_address(client_row), urlencode(sent), content_type=form)
    assert answer.status_code == 302
    client_row.refresh_from_db()
    assert (client_row.name, client_row.grants.count()) == ("renamed", count - 1)
    assert not client_row.grants.filter(pk=grants[-1].pk).exists()
