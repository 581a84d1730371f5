"""The big lists: pages that begin at a key, filters, and what a page costs."""

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any

import pytest
from django.contrib import admin
from django.db import connection
from django.test import Client as Browser
from django.urls import reverse
from ulid import ULID

from builds.models import Build
from credentials.access.callers import Caller
from credentials.access.clients import start_job_token
from credentials.models import IssuedSession, TrustedPublisher
from ltdkeeper.admin import lists
from ltdkeeper.admin.lists import Place, read_page
from ltdkeeper.admin.session_filters import following
from tests.credentials.ledger_rows import failed_row, issued_row, requested_row

pytestmark = pytest.mark.django_db

SESSIONS = "credentials_issuedsession"


def keys(*names: str) -> list[str]:
    return [name.rjust(26, "0") for name in names]


@pytest.fixture
def ten(db: None) -> list[str]:
    """The keys of ten sessions, newest first; those of odd number failed."""
    made = [failed_row if number % 2 else issued_row for number in range(10)]
    for key, make in zip(keys(*"0123456789"), made, strict=True):
        make(id=key)
    return keys(*"9876543210")


def walk(first: Place, side: str, found: Any, ordered: Any = None) -> Iterator[list[str]]:
    """The keys of each page from a place on."""
    place: Place | None = first
    while place is not None:
        page = read_page(found, ordered, place, size=3)
        yield [row.pk for row in page.rows]
        place = getattr(page, side)


ROWS = IssuedSession.objects.all


def test_pages_from_the_newest_to_the_oldest_hold_each_row_once(ten: list[str]) -> None:
    pages = list(walk(Place("first"), "older", ROWS()))
    assert [len(page) for page in pages] == [3, 3, 3, 1]
    assert [key for page in pages for key in page] == ten


def test_pages_from_the_oldest_to_the_newest_hold_each_row(ten: list[str]) -> None:
    pages = list(walk(Place("last"), "newer", ROWS()))
    assert pages[0] == ten[-3:]
    assert {key for page in pages for key in page} == set(ten)
    assert pages[-1] == ten[:3]  # the first page is a full one, whichever way it was reached


@pytest.mark.parametrize(("first", "side"), [("first", "older"), ("last", "newer")])
def test_page_goes_through_so_many_rows_and_says_where_it_ended(
    first: Any, side: str, ten: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lists, "WINDOW", 2)
    failed = ROWS().filter(status="failed")
    found = [key for page in walk(Place(first), side, failed, ROWS()) for key in page]
    assert sorted(set(found)) == sorted(row.pk for row in failed)
    none = read_page(ROWS().filter(status="withheld"), ROWS(), Place(first), size=3)
    assert (none.rows, none.is_partial) == ([], True)


def test_page_after_a_new_row_goes_on_where_the_last_one_ended(ten: list[str]) -> None:
    page = read_page(ROWS(), None, Place("first"), size=3)
    issued_row(id=keys("z")[0])
    assert page.older is not None
    assert [row.pk for row in read_page(ROWS(), None, page.older, size=3).rows] == ten[3:6]


@pytest.fixture
def shown(browser: Browser) -> Callable[..., set[str]]:
    """The keys of the rows that a list shows."""

    def show(model: str, **query: Any) -> set[str]:
        answer = browser.get(reverse(f"admin:{model}_changelist"), query)
        assert answer.status_code == 200, answer
        return {str(row.pk) for row in answer.context["cl"].result_list}

    return show


@pytest.fixture
def sessions(build: Build, caller: Caller, now: datetime) -> dict[str, str]:
    """Name -> key of a session of each kind."""
    hour, soon = timedelta(hours=1), now + timedelta(minutes=20)
    just = {"requested_at": now, "completed_at": now}
    ours = {"build": build, "client": caller.client, "store": build.product.store}
    rows = {
        "active": issued_row(**just, **ours, expires_at=soon),
        "expired": issued_row(**just, product_slug="other", expires_at=now - hour),
        "revoked": issued_row(**just, expires_at=soon, revoked_at=now, revocation_id=1),
        "failed": failed_row(**just),
        "withheld": issued_row(**just, status="withheld"),
        "stuck": requested_row(requested_at=now - hour),
        "requested": requested_row(requested_at=now),
        "listing": issued_row(**just, delivery="list", expires_at=soon),
        "years ago": issued_row(id=key_of(OLD), requested_at=OLD, expires_at=OLD + hour),
    }
    return {name: row.pk for name, row in rows.items()}


OLD = datetime(2021, 5, 7, 14, 3, tzinfo=UTC)


def key_of(moment: datetime) -> str:
    return str(ULID.from_datetime(moment)).lower()


FOUND: dict[str, tuple[dict[str, str], set[str]]] = {
    "active": ({"state": "active"}, {"active"}),
    "active, with internal": ({"state": "active", "delivery": "all"}, {"active", "listing"}),
    "expired": ({"state": "expired"}, {"expired", "years ago"}),
    "revoked": ({"state": "revoked"}, {"revoked"}),
    "failed": ({"state": "failed"}, {"failed"}),
    "withheld": ({"state": "withheld"}, {"withheld"}),
    "stuck": ({"state": "stuck"}, {"stuck"}),
    "requested": ({"state": "requested"}, {"requested"}),
    "delivery": ({"delivery": "list"}, {"listing"}),
    "a year": ({"time": "2021"}, {"years ago"}),
    "a month": ({"time": "2021-05"}, {"years ago"}),
    "a day": ({"time": "2021-05-07"}, {"years ago"}),
    "an hour": ({"time": "2021-05-07T14"}, {"years ago"}),
    "another hour": ({"time": "2021-05-07T15"}, set()),
    "the first year of all clocks": ({"time": "1970"}, set()),
    "recent": ({"time": "7d", "state": "failed"}, {"failed"}),
    "client": ({"client": "CLIENT"}, {"active"}),
    "product": ({"product": "PRODUCT", "time": "2021"}, {"years ago"}),
    "store": ({"store": "STORE"}, {"active"}),
    "build": ({"build": "BUILD"}, {"active"}),
    "client and state": ({"client": "CLIENT", "state": "expired"}, set()),
    "token": ({"token_name": "ltdk_nobody"}, set()),
}


def test_sessions_are_found_by(
    sessions: dict[str, str], build: Build, caller: Caller, shown: Any
) -> None:
    for case, (query, names) in FOUND.items():
        ids = {"CLIENT": caller.client.pk, "PRODUCT": build.product_id, "BUILD": build.pk}
        ids["STORE"] = build.product.store_id
        asked = {name: ids.get(value, value) for name, value in query.items()}
        assert shown(SESSIONS, **asked) == {sessions[name] for name in names}, case


def test_internal_sessions_are_hidden_unless_asked_for(
    sessions: dict[str, str], shown: Any
) -> None:
    assert sessions["listing"] not in shown(SESSIONS)
    assert shown(SESSIONS, delivery="all") == set(sessions.values())


def test_session_s_state_is_in_words(browser: Browser, sessions: dict[str, str]) -> None:
    page = browser.get(reverse(f"admin:{SESSIONS}_changelist")).content.decode()
    words = re.findall(r'field-state_now"[^>]*>([^<]*)<', page)
    assert sorted(words) == [
        *("active, ends in 19 min", "expired", "expired", "failed", "requested"),
        *("revoked", "stuck", "withheld"),
    ]


BUILD_STATES: dict[str, Callable[[datetime], dict[str, Any]]] = {
    "open": lambda now: {},
    "expired": lambda now: {"open_until": now},
    "finished": lambda now: {"finished_at": now, "counted_at": now},
    "superseded": lambda now: {"superseded_at": now},
    "deleted": lambda now: {"deleted_at": now, "finished_at": now},
    "uncounted": lambda now: {"finished_at": now},
    "foreign": lambda now: {
        "written_without_session": True,
        "finished_at": now,
        "counted_at": now,
    },
}


def test_builds_are_found_by_state_product_and_client(
    register: Callable[..., Build], caller: Caller, now: datetime, shown: Any
) -> None:
    made = {name: register() for name in BUILD_STATES}
    for name, change in BUILD_STATES.items():
        moments = {"registered_at": now - timedelta(days=1), **change(now)}
        Build.objects.filter(pk=made[name].pk).update(**moments)
    found = {name: shown("builds_build", state=name) for name in BUILD_STATES}
    finished = {str(made[name].pk) for name in ("finished", "uncounted", "foreign")}
    assert found == {name: {str(row.pk)} for name, row in made.items()} | {"finished": finished}
    everything = {str(row.pk) for row in made.values()}
    assert shown("builds_build", product=made["open"].product_id) == everything
    assert shown("builds_build", client=caller.client.pk, state="open") == found["open"]


def test_list_of_builds_that_need_attention_says_why_and_whose_they_are(
    build: Build, caller: Caller, now: datetime, browser: Browser
) -> None:
    failed = {"finished_at": now - timedelta(hours=4), "survey_failure": "store_unreachable"}
    Build.objects.update(registered_at=now - timedelta(hours=37), **failed)
    address = reverse("admin:builds_build_changelist")
    page = browser.get(address, {"state": "attention"}).content.decode()
    cells = re.findall(r"field-(\w+)[^>]*>(.*?)</t[dh]>", unescape(page).replace("\xa0", " "))
    assert [name for name, _ in cells] == ["root", "why", "of_client", "age"]
    found = dict(cells)
    assert found["why"] == "finished, not counted (store_unreachable)"
    assert found["age"] == "1 day, 13 hours ago"
    assert found["of_client"].endswith(f">{caller.client}</a>")


def test_job_tokens_are_found_by_state_and_client(
    build: Build, caller: Caller, now: datetime, shown: Any
) -> None:
    made = {}
    for name in ("alive", "expired", "ended"):
        made[name], _ = start_job_token(
            client=caller.client, products=[build.product], now=now, api_key=caller.api_key
        )
    past = now - timedelta(days=1)
    type(made["alive"]).objects.filter(pk=made["expired"].pk).update(
        created_at=past - timedelta(hours=1), expires_at=past
    )
    type(made["alive"]).objects.filter(pk=made["ended"].pk).update(ended_at=now)
    found = {name: shown("credentials_jobtoken", state=name) for name in made}
    assert found == {name: {str(token.pk)} for name, token in made.items()}
    assert len(shown("credentials_jobtoken", client=caller.client.pk)) == 3


def links(browser: Browser, address: str) -> dict[str, str]:
    page = browser.get(address).content.decode()
    pages = page[page.index('aria-label="Pages"') :]
    found = re.findall(r'<a href="([^"]*)"[^>]*>(Newest|Newer|Older|Oldest)<', pages)
    return {word: unescape(link) for link, word in found}


def test_pages_are_linked_and_keep_the_filter(browser: Browser, db: None) -> None:
    for _ in range(lists.PAGE_SIZE * 2 + 1):
        failed_row()
    address = reverse(f"admin:{SESSIONS}_changelist")
    first = links(browser, f"{address}?state=failed")
    assert set(first) == {"Older", "Oldest"}
    assert all("state=failed" in link for link in first.values())
    second = links(browser, address + first["Older"])
    assert set(second) == {"Newest", "Newer", "Older", "Oldest"}
    assert set(links(browser, address + first["Oldest"])) == {"Newest", "Newer"}
    assert set(links(browser, address + second["Newer"])) == {"Newest", "Older", "Oldest"}


def test_place_that_is_none_leads_to_the_first_page(browser: Browser) -> None:
    for p in ("before-", "before-\0", "after-" + "x" * 27, "7", "last-1", "-1"):
        answer = browser.get(reverse(f"admin:{SESSIONS}_changelist"), {"p": p})
        assert answer.status_code in {302, 400}, p


def test_filter_that_cannot_be_read_is_said_to_be_dropped(browser: Browser) -> None:
    for name, query in (
        (SESSIONS, {"state": "x"}),
        ("credentials_client", {"is_active__exact": "x"}),
    ):
        address = reverse(f"admin:{name}_changelist")
        page = browser.get(address, query, follow=True).content.decode()
        assert "cannot be read: all rows are shown." in page
        assert "cannot be read" not in browser.get(address).content.decode()


def test_order_of_a_big_list_is_fixed(browser: Browser, sessions: dict[str, str]) -> None:
    address = reverse(f"admin:{SESSIONS}_changelist")
    orders = [
        [row.pk for row in browser.get(address, query).context["cl"].result_list]
        for query in ({}, {"o": "1"}, {"o": "-2.3"})
    ]
    assert orders[0] == orders[1] == orders[2] == sorted(orders[0], reverse=True)


def test_few_rows_are_counted_exactly_and_many_are_estimated(
    browser: Browser, ten: list[str]
) -> None:
    address = reverse(f"admin:{SESSIONS}_changelist")
    for query in ({}, {"p": "last"}):
        assert browser.get(address, query).context["cl"].count_in_words == "10 issued sessions"
    for _ in range(lists.PAGE_SIZE):
        issued_row()
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    words = browser.get(address).context["cl"].count_in_words
    many = "about 110" if connection.vendor == "postgresql" else "more than 100"
    assert words == f"{many} issued sessions"


def test_list_costs_the_same_for_few_rows_and_for_many(
    browser: Browser, ten: list[str], django_assert_max_num_queries: Callable[..., Any]
) -> None:
    address = reverse(f"admin:{SESSIONS}_changelist")
    browser.get(address)
    with django_assert_max_num_queries(9) as few:
        browser.get(address)
    for _ in range(50):
        issued_row()
    with django_assert_max_num_queries(len(few)):
        browser.get(address)


INLINE = re.compile(
    r'<script(?![^>]*\bsrc=)(?![^>]*type="application/json")|\sstyle=|<style',
)


def test_every_list_has_one_search_box_its_export_and_nothing_inline(
    browser: Browser, sessions: dict[str, str], rule: TrustedPublisher
) -> None:
    lists = {
        reverse(f"admin:{page.opts.app_label}_{page.opts.model_name}_changelist"): page
        for page in admin.site._registry.values()
    }
    forms = [
        reverse(f"admin:credentials_{each}_add") for each in ("trustedpublisher", "oidcissuer")
    ]
    for address in (*lists, *forms, reverse("admin:index"), reverse("admin:find")):
        shown = browser.get(address, follow=True).content.decode()
        boxes = 0 if address in forms else 1
        assert shown.count('id="keeper-find-text"') == boxes, address
        assert shown.count('<label for="keeper-find-text">') == boxes, address
        assert not INLINE.search(shown), address
        is_exported = getattr(lists.get(address), "is_exported", False)
        assert ('formaction="export/csv/?' in shown) is is_exported, address


def test_action_on_all_pages_is_refused(browser: Browser, build: Build) -> None:
    data = {"action": "mark_deleted", "_selected_action": build.pk, "select_across": "1"}
    browser.post(reverse("admin:builds_build_changelist"), data)
    build.refresh_from_db()
    assert build.deleted_at is None


def test_cells_say_which_column_they_are_of(browser: Browser, ten: list[str]) -> None:
    page = browser.get(reverse(f"admin:{SESSIONS}_changelist")).content.decode()
    assert page.count('<td data-label="Access key id" class="field-access_key_id">') == 10


ENDS = {
    "2026": (2027, 1, 1),
    "2026-12": (2027, 1, 1),
    "2026-02": (2026, 3, 1),
    "2026-02-28": (2026, 3, 1),
    "2026-02-28T23": (2026, 3, 1),
}


def test_part_of_time_ends_where_the_next_begins() -> None:
    for value, end in ENDS.items():
        form = "%Y-%m-%dT%H"[: {4: 2, 7: 5, 10: 8, 13: 11}[len(value)]]
        begin = datetime.strptime(f"{value} +0000", f"{form} %z")
        assert following(value, begin) == datetime(*end, tzinfo=UTC), value


def time_choices(browser: Browser, **query: str) -> list[str]:
    answer = browser.get(reverse(f"admin:{SESSIONS}_changelist"), query)
    [spec] = [each for each in answer.context["cl"].filter_specs if each.title == "time"]
    return [choice["display"] for choice in spec.choices(answer.context["cl"])][4:]


def test_time_is_chosen_between_the_first_session_and_the_last(browser: Browser, db: None) -> None:
    for moment in (OLD, OLD + timedelta(days=40)):
        issued_row(id=key_of(moment), requested_at=moment, expires_at=moment)
    assert time_choices(browser) == ["2021"]
    assert time_choices(browser, time="2021") == ["2021 UTC", "2021-06", "2021-05"]
    days = time_choices(browser, time="2021-06")
    assert (days[:3], days[-1], len(days)) == (
        ["2021 UTC", "2021-06 UTC", "2021-06-16"],
        "2021-06-01",
        18,
    )
    assert time_choices(browser, time="2021-06-02") == ["2021 UTC", "2021-06 UTC", "2021-06-02 UTC"]
    assert time_choices(browser, time="2021-05")[2:4] == ["2021-05-31", "2021-05-30"]


def test_small_lists_have_the_filters_of_big_ones_and_no_second_search_box(
    browser: Browser, caller: Caller
) -> None:
    address = reverse("admin:credentials_client_changelist")
    page = browser.get(address, {"is_active__exact": "0", "q": "x"}).content.decode()
    assert "<summary>State: <strong>disabled</strong></summary>" in page
    assert "<summary>Contains: <strong>x</strong></summary>" in page
    assert '<input type="hidden" name="is_active__exact" value="0">' in page
    assert page.count('role="search"') == 1
    assert "changelist-filter" not in page
