"""Issuers, rules and job tokens in the admin: what the forms take, refuse and say."""

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.test import Client as Browser
from django.urls import reverse

from builds.models import Product
from credentials.access.jobs import start_job_token
from credentials.access.models import ApiKey, Client, JobToken, OidcIssuer, TrustedPublisher

pytestmark = pytest.mark.django_db

RULES = "admin:credentials_trustedpublisher"
ISSUERS = "admin:credentials_oidcissuer"
TOKENS = "admin:credentials_jobtoken"
USUAL = ["push", "workflow_dispatch", "schedule", "release"]
NUMBERS = {"repository_id": "74", "repository_owner_id": "65"}


@pytest.fixture
def browser(db: None) -> Browser:
    browser = Browser()
    browser.force_login(User.objects.create_superuser("operator"))
    return browser


def page(browser: Browser, name: str, *args: Any, query: str = "") -> str:
    response = browser.get(reverse(name, args=args) + query, follow=True)
    assert response.status_code == 200
    return response.content.decode()


def add_issuer(browser: Browser, kind: str, **fields: Any) -> Any:
    data = {"kind": kind, "issuer": "", "jwks_url": "", "identifying_claims": "[]", **fields}
    return browser.post(reverse(f"{ISSUERS}_add"), data)


PRESETS = {
    "github": (
        "github",
        "",
        "https://token.actions.githubusercontent.com",
        "https://token.actions.githubusercontent.com/.well-known/jwks",
    ),
    "gitlab.com": (
        "gitlab",
        "",
        "https://gitlab.com",
        "https://gitlab.com/oauth/discovery/keys",
    ),
    "a GitLab of one's own": (
        "gitlab",
        "https://git.example.org",
        "https://git.example.org",
        "https://git.example.org/oauth/discovery/keys",
    ),
    "GitHub Enterprise Server": (
        "github",
        "https://ghe.example.org/_services/token",
        "https://ghe.example.org/_services/token",
        "https://ghe.example.org/_services/token/.well-known/jwks",
    ),
}


@pytest.mark.parametrize(("kind", "given", "issuer", "jwks_url"), PRESETS.values(), ids=PRESETS)
def test_issuer_of_a_known_kind_is_filled_in(
    kind: str, given: str, issuer: str, jwks_url: str, browser: Browser
) -> None:
    add_issuer(browser, kind, issuer=given)
    row = OidcIssuer.objects.get()
    assert (row.issuer, row.jwks_url) == (issuer, jwks_url)


WRONG_ISSUERS: dict[str, dict[str, str]] = {
    "another without an address": {"kind": "other"},
    "http": {"kind": "gitlab", "issuer": "http://git.example.org"},
    "keys over http": {"kind": "github", "jwks_url": "http://git.example.org/jwks"},
    "a host alone": {"kind": "gitlab", "issuer": "git.example.org"},
    "credentials in it": {"kind": "gitlab", "issuer": "https://me:secret@git.example.org"},
    "a fragment": {"kind": "github", "jwks_url": "https://git.example.org/jwks#x"},
    "another that names nothing": {
        "kind": "other",
        "issuer": "https://ci.example.org",
        "jwks_url": "https://ci.example.org/jwks",
    },
    "another that names sub": {
        "kind": "other",
        "issuer": "https://ci.example.org",
        "jwks_url": "https://ci.example.org/jwks",
        "identifying_claims": '["sub"]',
    },
    "GitHub that names claims": {"kind": "github", "identifying_claims": '["repository"]'},
    "a kind that is none": {"kind": "jenkins"},
}


@pytest.mark.parametrize("fields", WRONG_ISSUERS.values(), ids=WRONG_ISSUERS)
def test_issuer_that_could_not_be_trusted_is_refused(
    fields: dict[str, str], browser: Browser
) -> None:
    answer = add_issuer(browser, **fields)
    assert "errorlist" in answer.content.decode()
    assert not OidcIssuer.objects.exists()


@pytest.fixture
def github(db: None) -> OidcIssuer:
    issuer = OidcIssuer(kind="github")
    issuer.full_clean()
    issuer.save()
    return issuer


@pytest.fixture
def gitlab(db: None) -> OidcIssuer:
    issuer = OidcIssuer(kind="gitlab")
    issuer.full_clean()
    issuer.save()
    return issuer


def add_rule(
    browser: Browser, issuer: OidcIssuer, client: Client, *products: Product, **claims: Any
) -> Any:
    data = {
        "name": "docs",
        "client": client.pk,
        "products": [product.pk for product in products],
        "is_active": "on",
        **claims,
    }
    return browser.post(reverse(f"{RULES}_add") + f"?issuer={issuer.pk}", data, follow=True)


def test_github_rule_is_put_together_from_its_fields(
    browser: Browser, github: OidcIssuer, client_row: Client, product: Product
) -> None:
    claims = {
        **NUMBERS,
        "event_name": USUAL,
        "ref": "refs/heads/main\r\n\r\n refs/tags/v1 ",
        "ref_type": ["branch", "tag"],
        "environment": "docs",
    }
    add_rule(browser, github, client_row, product, **claims)
    rule = TrustedPublisher.objects.get()
    assert rule.conditions == {
        "repository_id": ["74"],
        "repository_owner_id": ["65"],
        "event_name": USUAL,
        "ref": ["refs/heads/main", "refs/tags/v1"],
        "ref_type": ["branch", "tag"],
        "environment": ["docs"],
    }
    assert (rule.issuer, rule.client, list(rule.products.all())) == (github, client_row, [product])


def test_saved_rule_is_shown_as_it_was_entered_and_saves_alike(
    browser: Browser, github: OidcIssuer, client_row: Client, product: Product
) -> None:
    add_rule(browser, github, client_row, product, **NUMBERS, ref_type=["tag"], environment="a\nb")
    rule = TrustedPublisher.objects.get()
    shown = browser.get(reverse(f"{RULES}_change", args=[rule.pk]))
    form = shown.context["adminform"].form
    values = {name: form[name].value() for name in form.fields}
    values = {name: form.fields[name].prepare_value(value) for name, value in values.items()}
    values["products"] = [product.pk]
    browser.post(reverse(f"{RULES}_change", args=[rule.pk]), {**values, "is_active": "on"})
    again = TrustedPublisher.objects.get()
    assert (again.conditions, again.is_active) == (rule.conditions, True)
    assert again.conditions["event_name"] == USUAL


def test_new_github_rule_has_the_usual_events_ticked_and_says_how_to_find_the_numbers(
    browser: Browser, github: OidcIssuer
) -> None:
    shown = page(browser, f"{RULES}_add")
    ticked = re.findall(r'name="event_name" value="(\w+)"[^>]*checked', shown)
    assert ticked == USUAL
    assert "gh api repos/OWNER/REPO" in shown
    assert re.findall(r'name="repository_id"( value="[^"]*")?', shown) == [""]


WRONG_RULES: dict[str, tuple[dict[str, Any], str]] = {
    "no repository": ({"repository_id": ""}, "repository_id"),
    "no owner": ({"repository_owner_id": ""}, "repository_owner_id"),
    "a name for a number": ({"repository_id": "octo-repo"}, "repository_id"),
    "ref without its type": ({"ref": "refs/heads/main"}, "ref_type"),
    "short ref": ({"ref": "main", "ref_type": ["branch"]}, "ref"),
    "ref of another type": ({"ref": "refs/tags/v1", "ref_type": ["branch"]}, "ref"),
    "wildcard": ({"ref": "refs/heads/*", "ref_type": ["branch"]}, "ref"),
    "event that is none": ({"event_name": ["nothing"]}, "event_name"),
    "too many environments": ({"environment": "\n".join("e" * n for n in range(1, 52))}, "env"),
}


@pytest.mark.parametrize(("claims", "field"), WRONG_RULES.values(), ids=WRONG_RULES)
def test_rule_that_could_let_strangers_in_is_refused_at_its_field(
    claims: dict[str, Any],
    field: str,
    browser: Browser,
    github: OidcIssuer,
    client_row: Client,
    product: Product,
) -> None:
    answer = add_rule(browser, github, client_row, product, **{**NUMBERS, **claims})
    errors = answer.context["adminform"].form.errors
    assert [name.startswith(field) for name in errors] == [True], errors
    assert not TrustedPublisher.objects.exists()


@pytest.mark.parametrize(
    "event", ["pull_request_target", "workflow_run", "issue_comment", "pull_request"]
)
def test_risky_event_is_warned_of_when_saved_and_afterwards(
    event: str, browser: Browser, github: OidcIssuer, client_row: Client, product: Product
) -> None:
    answer = add_rule(browser, github, client_row, product, **NUMBERS, event_name=[event])
    assert f"{event} " in "".join(str(each) for each in answer.context["messages"])
    rule = TrustedPublisher.objects.get()
    assert f">{event} " in page(browser, f"{RULES}_change", rule.pk)
    assert "icon-no" in page(browser, f"{RULES}_changelist")


def test_usual_rule_is_not_warned_of(
    browser: Browser, github: OidcIssuer, client_row: Client, product: Product
) -> None:
    answer = add_rule(browser, github, client_row, product, **NUMBERS, event_name=USUAL)
    assert [each.level_tag for each in answer.context["messages"]] == ["success"]


def test_product_that_the_client_is_not_granted_is_warned_of(
    browser: Browser,
    github: OidcIssuer,
    client_row: Client,
    make_product: Callable[..., Product],
) -> None:
    answer = add_rule(browser, github, client_row, make_product("handbook"), **NUMBERS)
    assert "is not granted handbook" in "".join(map(str, answer.context["messages"]))


def test_gitlab_rule_asks_for_its_own_claims(
    browser: Browser, gitlab: OidcIssuer, client_row: Client, product: Product
) -> None:
    claims = {"project_id": "20", "ref": "main", "ref_type": "branch", "ref_protected": "true"}
    add_rule(browser, gitlab, client_row, product, **claims)
    assert TrustedPublisher.objects.get().conditions == {
        "pipeline_source": ["push", "schedule", "web"],
        "project_id": ["20"],
        "ref": ["main"],
        "ref_type": ["branch"],
        "ref_protected": ["true"],
    }
    refused = add_rule(browser, gitlab, client_row, product, **{**claims, "ref": "refs/heads/main"})
    assert "short names" in refused.content.decode()


def test_rule_for_another_issuer_is_lines(
    browser: Browser, client_row: Client, product: Product
) -> None:
    add_issuer(
        browser,
        "other",
        issuer="https://ci.example.org/",
        jwks_url="https://ci.example.org/jwks",
        identifying_claims='["pipeline_id"]',
    )
    issuer = OidcIssuer.objects.get()
    lines = "pipeline_id = p=1\nbranch = main\nbranch = next"
    add_rule(browser, issuer, client_row, product, other_claims=lines)
    rule = TrustedPublisher.objects.get()
    assert rule.conditions == {"pipeline_id": ["p=1"], "branch": ["main", "next"]}
    assert "branch = next" in page(browser, f"{RULES}_change", rule.pk)
    for wrong in ("branch = main", "pipeline_id = p\nsub = x", "pipeline_id"):
        add_rule(browser, issuer, client_row, product, other_claims=wrong)
    assert TrustedPublisher.objects.count() == 1


def test_issuer_is_asked_for_first(
    browser: Browser, github: OidcIssuer, gitlab: OidcIssuer
) -> None:
    shown = page(browser, f"{RULES}_add")
    assert f'href="?issuer={github.pk}"' in shown
    assert 'name="name"' not in shown
    assert "project_id" in page(browser, f"{RULES}_add", query=f"?issuer={gitlab.pk}")
    assert f'href="?issuer={gitlab.pk}"' in page(browser, f"{RULES}_add", query="?issuer=x")


def test_without_an_issuer_one_is_to_be_added(browser: Browser) -> None:
    shown = page(browser, f"{RULES}_add")
    assert "whose identity tokens are taken" in shown
    assert 'name="jwks_url"' in shown


@pytest.fixture
def rule(
    browser: Browser, github: OidcIssuer, client_row: Client, product: Product
) -> TrustedPublisher:
    add_rule(browser, github, client_row, product, **NUMBERS)
    return TrustedPublisher.objects.get()


def test_rule_is_disabled_and_not_deleted(browser: Browser, rule: TrustedPublisher) -> None:
    delete = reverse(f"{RULES}_delete", args=[rule.pk])
    assert browser.post(delete, {"post": "yes"}).status_code == 403
    data = {"name": "docs", "products": [rule.products.get().pk], **NUMBERS}
    browser.post(reverse(f"{RULES}_change", args=[rule.pk]), data)
    rule.refresh_from_db()
    assert rule.is_active is False


def test_client_and_issuer_of_a_rule_stay(
    browser: Browser, rule: TrustedPublisher, gitlab: OidcIssuer
) -> None:
    data = {"name": "x", "products": [rule.products.get().pk], **NUMBERS}
    further = {"client": Client.objects.create(name="other").pk, "issuer": gitlab.pk}
    browser.post(reverse(f"{RULES}_change", args=[rule.pk]), {**data, **further})
    again = TrustedPublisher.objects.get()
    assert (again.name, again.client, again.issuer) == ("x", rule.client, rule.issuer)


def test_issuer_with_rules_keeps_what_they_rest_on(
    browser: Browser, rule: TrustedPublisher
) -> None:
    change = reverse(f"{ISSUERS}_change", args=[rule.issuer.pk])
    moved = {"kind": "gitlab", "issuer": "https://x.example", "jwks_url": "https://x.example/keys"}
    browser.post(change, moved)
    issuer = OidcIssuer.objects.get()
    assert (issuer.kind, issuer.jwks_url) == ("github", "https://x.example/keys")
    assert issuer.issuer == "https://token.actions.githubusercontent.com"
    delete = reverse(f"{ISSUERS}_delete", args=[issuer.pk])
    browser.post(delete, {"post": "yes"})
    assert OidcIssuer.objects.exists()


def test_rule_that_was_made_illegal_can_still_be_looked_at_and_mended(
    browser: Browser, rule: TrustedPublisher
) -> None:
    TrustedPublisher.objects.update(conditions={"repository_id": "74", "x": [1]})
    assert "lets nobody in" in page(browser, f"{RULES}_changelist")
    assert page(browser, f"{RULES}_change", rule.pk)
    data = {"name": "docs", "products": [rule.products.get().pk], **NUMBERS}
    browser.post(reverse(f"{RULES}_change", args=[rule.pk]), data)
    rule.refresh_from_db()
    assert rule.identified_by == "repository_id 74, repository_owner_id 65"


@pytest.fixture
def token(rule: TrustedPublisher, product: Product, now: datetime) -> JobToken:
    row, _ = start_job_token(
        client=rule.client, products=[product], now=now, publisher=rule, identity="octo run 1"
    )
    return row


def test_job_tokens_are_listed_without_their_hash_and_not_changed(
    browser: Browser, token: JobToken, api_key: ApiKey, product: Product, now: datetime
) -> None:
    start_job_token(client=api_key.client, products=[product], now=now, api_key=api_key)
    shown = page(browser, f"{TOKENS}_changelist")
    told = (token.token_name, "octo run 1", "guide", "docs", api_key.token_name)
    assert [word for word in told if word not in shown] == []
    detail = page(browser, f"{TOKENS}_change", token.pk)
    assert token.secret_sha256 not in shown + detail
    browser.post(reverse(f"{TOKENS}_change", args=[token.pk]), {"identity": "x"})
    token.refresh_from_db()
    assert token.identity == "octo run 1"
    for name, args in ((f"{TOKENS}_add", []), (f"{TOKENS}_delete", [token.pk])):
        assert browser.post(reverse(name, args=args), {"post": "yes"}).status_code == 403


def test_job_token_is_ended_once_and_on_record(
    browser: Browser, token: JobToken, now: datetime
) -> None:
    for _ in range(2):
        data = {"action": "end", "_selected_action": token.pk}
        browser.post(reverse(f"{TOKENS}_changelist"), data)
    token.refresh_from_db()
    assert token.ended_at is not None
    assert token.ended_at - now < timedelta(minutes=5)
    assert LogEntry.objects.filter(object_id=str(token.pk), change_message="Ended.").count() == 1


def test_list_of_job_tokens_costs_the_same_for_one_and_for_twenty(
    browser: Browser,
    token: JobToken,
    product: Product,
    now: datetime,
    django_assert_num_queries: Callable[..., Any],
    django_assert_max_num_queries: Callable[..., Any],
) -> None:
    page(browser, f"{TOKENS}_changelist")
    with django_assert_max_num_queries(9) as first:
        page(browser, f"{TOKENS}_changelist")
    for _ in range(20):
        start_job_token(client=token.client, products=[product], now=now, publisher=token.publisher)
    with django_assert_num_queries(len(first)):
        page(browser, f"{TOKENS}_changelist")


@pytest.mark.parametrize("name", [RULES, ISSUERS, TOKENS])
def test_pages_need_no_inline_script_or_style(name: str, browser: Browser, token: JobToken) -> None:
    shown = page(browser, f"{name}_changelist")
    if name != TOKENS:
        shown += page(browser, f"{name}_add")
    assert not re.search(r"<script(?![^>]*\bsrc=)(?![^>]*type=\"application/json\")", shown)
    assert not re.search(r"\sstyle=|<style", shown)
