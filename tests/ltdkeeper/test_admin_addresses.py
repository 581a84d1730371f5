"""Whatever stands in an address of the admin, or in what is sent there: never a 5xx."""

from typing import Any
from urllib.parse import urlencode

import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.test import Client as Browser

from builds.models import Build
from credentials.models import OidcIssuer

pytestmark = [
    pytest.mark.slow,
    pytest.mark.django_db(transaction=True),  # PostgreSQL ends a transaction at its first error
    pytest.mark.filterwarnings("ignore:.*received a naive datetime:RuntimeWarning"),
]

LISTS = {
    f"{model._meta.app_label}/{model._meta.model_name}": model for model in admin.site._registry
}
HUGE = "9" * 4400
# What a database or a conversion breaks at: NUL, and numbers and times out of range.
WORST = ("\0", "9" * 20, HUGE, "0001-01-01T00:00:00+23:59")
BAD = (*WORST, "(", "", "x", "-1", "9999-12-31", "'\"\\")
# The list with the most filters is asked everything, the others only the worst.
ASKED_EVERYTHING = "credentials/issuedsession"


@pytest.fixture
def browser(db: None) -> Browser:
    browser = Browser(raise_request_exception=False)
    browser.force_login(User.objects.create_superuser("root"))
    return browser


def statuses(browser: Browser, *addresses: str) -> dict[str, int]:
    """Those that were answered with an error of the service."""
    answers = {each: browser.get(each).status_code for each in addresses}
    return {each[:200]: status for each, status in answers.items() if status >= 500}


def bad_values(model: str) -> tuple[str, ...]:
    return BAD if model == ASKED_EVERYTHING else WORST


def with_query(model: str, *pairs: tuple[str, str]) -> str:
    return f"/admin/{model}/?{urlencode(pairs)}"


@pytest.mark.parametrize("model", LISTS)
def test_list_answers_any_query(model: str, browser: Browser, build: Build) -> None:
    names = ["q", "p", "o", "all", "_facets", "_to_field", "_changelist_filters", "pk", "id__in"]
    names += ["nothing", "root__regex", "pk__regex", "\0"]
    for each in admin.site._registry[LISTS[model]].list_filter:
        names += [each, f"{each}__exact", f"{each}__id__exact", f"{each}__gte", f"{each}__regex"]
    addresses = [with_query(model, (name, value)) for name in names for value in bad_values(model)]
    assert statuses(browser, *addresses) == {}


LONG: dict[str, list[tuple[str, str]]] = {
    "search of 60,000 characters": [("q", "x" * 60_000)],
    "search of 5,000 words": [("q", "x " * 5000)],
    "search with a quote": [("q", '"')],
    "filter with 900 values": [("status", str(number)) for number in range(900)],
    "filter with its allowed 100": [("status", str(number)) for number in range(100)],
    "sorted by 500 columns": [("o", ".".join(map(str, range(500))))],
}


@pytest.mark.parametrize("case", LONG)
def test_long_queries_are_answered(case: str, browser: Browser, build: Build) -> None:
    for model in ("credentials/issuedsession", "builds/build"):
        assert statuses(browser, with_query(model, *LONG[case])) == {}


@pytest.mark.parametrize("model", LISTS)
def test_pages_answer_any_id(model: str, browser: Browser, build: Build) -> None:
    ids = ["%00", "a%00b", "x", "-1", "0", HUGE, "9" * 20, "_0", "_", "%F0", "a/b", "%ED%A0%80"]
    pages = ["change/", "history/", "delete/", "password/"]
    addresses = [f"/admin/{model}/{each}/{page}" for each in ids for page in pages]
    assert statuses(browser, *addresses) == {}
    posted = [browser.post(each, {"post": "yes"}).status_code for each in addresses]
    assert max(posted) < 500


@pytest.mark.parametrize("model", LISTS)
def test_actions_answer_any_selection(model: str, browser: Browser, build: Build) -> None:
    answers = set()
    for action in [*admin.site._registry[LISTS[model]].actions, "delete_selected", "nothing"]:
        for value in bad_values(model):
            data = {"action": action, "_selected_action": value, "index": value}
            answers.add(browser.post(f"/admin/{model}/", data | {"index": "0"}).status_code)
            answers.add(browser.post(f"/admin/{model}/", data).status_code)
    assert max(answers) < 500


@pytest.mark.parametrize("model", LISTS)
def test_no_link_fills_in_a_form(model: str, browser: Browser, build: Build) -> None:
    OidcIssuer.objects.create(issuer="https://ci.example.org", jwks_url="https://ci.example.org/k")
    names = [field.name for field in LISTS[model]._meta.get_fields()]
    addresses = [
        with_query(f"{model}/add", (name, bad)) for name in names for bad in bad_values(model)
    ]
    assert statuses(browser, *addresses) == {}
    shown = browser.get(f"/admin/{model}/add/?name=planted&label=planted&slug=planted").content
    assert b"planted" not in shown


OTHERS = [
    "autocomplete/?app_label=credentials&model_name=apikey&field_name=client&term=%00",
    "autocomplete/?app_label=credentials&model_name=apikey&field_name=client&page=x",
    "autocomplete/?app_label=credentials&model_name=apikey&field_name=client&term=" + "x" * 60_000,
    "autocomplete/?app_label=%00&model_name=x&field_name=y",
    "autocomplete/",
    "r/%00/1/",
    f"r/{HUGE}/{HUGE}/",
    "%00/",
    "nothing/",
    "?next=%00",
]


def test_other_addresses_are_answered(browser: Browser, build: Build) -> None:
    assert statuses(browser, *(f"/admin/{address}" for address in OTHERS)) == {}


FORMS = {
    "builds/store": ("name", "bucket", "region", "endpoint_url", "role_arn", "role_max_seconds"),
    "builds/product": ("slug", "store", "title", "doc_repo", "session_seconds"),
    "credentials/client": ("name", "grants-0-product", "grants-TOTAL_FORMS"),
    "credentials/apikey": ("client", "label", "expires_at_0", "networks", "products"),
    "credentials/oidcissuer": ("kind", "issuer", "jwks_url", "identifying_claims"),
    "auth/user": ("username", "password1"),
    "auth/group": ("name", "permissions"),
}


@pytest.mark.parametrize("model", FORMS)
def test_forms_answer_any_text(model: str, browser: Browser, build: Build) -> None:
    for name in FORMS[model]:
        for value in (*BAD, '["\\u0000"]', "[" * 5000):
            answer = browser.post(f"/admin/{model}/add/", {name: value})
            assert answer.status_code < 500, (name, value[:50])


def filters(model: str, lookup: str, browser: Browser) -> bool:
    """Whether a list takes a lookup, so that its length tells something about the rows."""
    return browser.get(with_query(model, (lookup, "a"))).status_code == 200


SECRETS = {
    "an API key's": ("credentials/apikey", "secret_sha256"),
    "a job token's": ("credentials/jobtoken", "secret_sha256"),
    "a client's keys'": ("credentials/client", "api_keys__secret_sha256"),
    "a rule's client's keys'": (
        "credentials/trustedpublisher",
        "client__api_keys__secret_sha256",
    ),
    "a key's sessions'": ("credentials/apikey", "sessions__secret_sha256"),
    "an account's password": ("auth/user", "password"),
    "a password by a check": ("credentials/isolationrun", "requested_by__password"),
    "a password by a group": ("auth/group", "user__password"),
    "a password by an entry of the log": ("auth/user", "logentry__user__password"),
}


@pytest.mark.parametrize("whose", SECRETS)
def test_no_list_is_filtered_by_a_hash(whose: str, browser: Browser) -> None:
    model, field = SECRETS[whose]
    kinds = ["", "__exact", "__startswith", "__gte", "__lt", "__regex"]
    assert [kind for kind in kinds if filters(model, field + kind, browser)] == []


def test_lists_offer_no_hash_to_filter_search_or_sort_by() -> None:
    for page in admin.site._registry.values():
        offered = [*page.list_filter, *page.search_fields, *page.list_display]
        words = [word for word in map(str, offered) if "sha256" in word or "password" in word]
        assert words == []


KEYSET = ("credentials/issuedsession", "builds/build", "credentials/jobtoken")


@pytest.mark.parametrize("model", KEYSET)
def test_big_list_answers_any_value_of_its_filters_and_any_page(
    model: str, browser: Browser, build: Build
) -> None:
    names = [each.parameter_name for each in admin.site._registry[LISTS[model]].list_filter]
    values = [*BAD, "before-", "before-x", "after-\0", "last-1", "2026-13", "0000", "9999-12-31"]
    addresses = [with_query(model, (name, value)) for name in (*names, "p") for value in values]
    assert statuses(browser, *addresses) == {}


LINKS: dict[str, Any] = {
    "credentials/issuedsession": [
        "state=active&delivery=all&time=2026-01",
        "client=1&product=1&build=1&token_name=x",
        "p=last",
    ],
    "credentials/trustedpublisher": ["client__id__exact=1", "is_active__exact=1"],
    "credentials/apikey": ["state=expiring&client=1"],
    "auth/user": ["groups__id__exact=1", "is_staff__exact=1"],
}


@pytest.mark.parametrize("model", LINKS)
def test_filters_that_are_offered_work(model: str, browser: Browser, build: Build) -> None:
    for query in LINKS[model]:
        assert browser.get(f"/admin/{model}/?{query}").status_code == 200, query
