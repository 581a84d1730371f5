"""The form of a rule: what it takes, refuses and says."""

import re
from collections.abc import Callable
from html import unescape
from typing import Any

import pytest
from django.test import Client as Browser
from django.urls import reverse

from builds.models import Product
from credentials.models import Client, OidcIssuer, TrustedPublisher
from credentials.rules.publishers import GITHUB
from tests.ltdkeeper.admin.publisher_pages import (
    NUMBERS,
    RULES,
    USUAL,
    add_issuer,
    add_rule,
    page,
)

pytestmark = pytest.mark.django_db


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
    values |= {"products": [product.pk], "reason": ""}  # nothing was edited
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


def test_rule_that_could_let_strangers_in_is_refused_at_its_field(
    browser: Browser, github: OidcIssuer, client_row: Client, product: Product
) -> None:
    for claims, field in WRONG_RULES.values():
        answer = add_rule(browser, github, client_row, product, **{**NUMBERS, **claims})
        errors = answer.context["adminform"].form.errors
        assert [name.startswith(field) for name in errors] == [True], errors
        assert [len(sentences) for sentences in errors.values()] == [1], errors
        assert not TrustedPublisher.objects.exists()


def test_risky_events_are_warned_of_when_saved_and_afterwards(
    browser: Browser, github: OidcIssuer, client_row: Client, product: Product
) -> None:
    events, sentences = list(GITHUB.risky_events), set(GITHUB.risky_events.values())
    answer = add_rule(browser, github, client_row, product, **NUMBERS, event_name=events)
    assert sentences < {str(message) for message in answer.context["messages"]}
    shown = unescape(page(browser, f"{RULES}_change", TrustedPublisher.objects.get().pk))
    assert {sentence for sentence in sentences if sentence not in shown} == set()
    assert f'class="field-warning_count">{len(events)}<' in page(browser, f"{RULES}_changelist")


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
    assert "whose identity tokens are accepted" in shown
    assert 'name="jwks_url"' in shown


def test_rule_is_disabled_and_not_deleted(browser: Browser, rule: TrustedPublisher) -> None:
    delete = reverse(f"{RULES}_delete", args=[rule.pk])
    assert browser.post(delete, {"post": "yes"}).status_code == 403
    data = {"action": "disable", "_selected_action": rule.pk, "reason": "leaked"}
    browser.post(reverse(f"{RULES}_changelist"), data)
    rule.refresh_from_db()
    assert rule.is_active is False


def test_client_and_issuer_of_a_rule_stay(
    browser: Browser, rule: TrustedPublisher, gitlab: OidcIssuer
) -> None:
    data = {"name": "x", "products": [rule.products.get().pk], "reason": "moved", **NUMBERS}
    further = {"client": Client.objects.create(name="other").pk, "issuer": gitlab.pk}
    browser.post(reverse(f"{RULES}_change", args=[rule.pk]), {**data, **further})
    again = TrustedPublisher.objects.get()
    assert (again.name, again.client, again.issuer) == ("x", rule.client, rule.issuer)


def test_rule_that_was_made_illegal_can_still_be_looked_at_and_mended(
    browser: Browser, rule: TrustedPublisher
) -> None:
    TrustedPublisher.objects.update(conditions={"repository_id": "74", "x": [1]})
    assert "accepts nobody" in page(browser, f"{RULES}_changelist")
    assert page(browser, f"{RULES}_change", rule.pk)
    data = {"name": "docs", "products": [rule.products.get().pk], "reason": "y", **NUMBERS}
    browser.post(reverse(f"{RULES}_change", args=[rule.pk]), data)
    rule.refresh_from_db()
    assert rule.identified_by == "repository_id 74, repository_owner_id 65"
